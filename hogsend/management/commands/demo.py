"""`manage.py demo`: replay real purchases against a running stack and prove that every number fits."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hogsend.clock import database_now
from ops.bootstrap import read_state
from ops.demo.findings import Check, by_status, checks, unfinished
from ops.demo.purchases import DataError, Purchase, batches, read_purchases
from ops.demo.replay import Replay, ReplayError, replay
from ops.demo.screen import meter
from ops.demo.segments import bucket_checks, bucket_moves

LOOK = 0.25  # seconds between two looks at the database
PATIENCE = 60.0  # seconds without any progress


class Command(BaseCommand):
    help = (
        "Send the CDNOW purchases (content/data) over HTTP to a running stack, wait until journeys and mails are done, "
        "and compare every number, and who is in which bucket, with the file. Repeating it changes nothing. "
        "Exit 0 only when all numbers fit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = settings.BASE_DIR / "content" / "data" / "cdnow_master.txt.gz"
        parser.add_argument("--base-url", help="of the running stack; from the state file if not given")
        parser.add_argument("--api-key", help="a key with the scope ingest; from the state file if not given")
        parser.add_argument("--state-dir", type=Path, default=settings.HOGSEND_STATE_DIR, help="where dev.json lies")
        parser.add_argument("--data", type=Path, default=default, help="the purchases")
        parser.add_argument(
            "--limit", type=positive, metavar="PEOPLE", help="only the first so many people of the file"
        )
        parser.add_argument(
            "--batch", type=positive, default=500, help="events per request, at most 1000 (default 500)"
        )
        parser.add_argument("--connections", type=positive, default=2, help="requests at the same time (default 2)")
        parser.add_argument("--json", action="store_true", help="print one JSON document; progress goes to stderr")

    def handle(self, **options: Any) -> None:
        state = read_state(options["state_dir"] / "dev.json")
        base_url = (options["base_url"] or state.get("base_url") or settings.API_PUBLIC_URL).rstrip("/")
        api_key = options["api_key"] or state.get("ingest_key")
        if not api_key:
            raise CommandError("The demo needs a key: give --api-key, or start the stack with `./run up` first.")
        screen: TextIO = sys.stderr if options["json"] else sys.stdout
        started = time.monotonic()
        try:
            purchases = read_purchases(options["data"], customers=options["limit"])
            sent = _send(purchases, options, base_url=base_url, api_key=api_key, screen=screen)
        except (OSError, DataError, ReplayError) as error:
            raise CommandError(str(error)) from error
        settled = _settle(screen)
        report = _report(purchases, sent, base_url=base_url, seconds=time.monotonic() - started)
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self._print(report)
        if not (settled and report["ok"]):
            raise SystemExit(1)

    def _print(self, report: dict[str, Any]) -> None:
        out = self.stdout.write
        out(f"\n{report['people']} people, {report['events']} events, all done after {report['seconds']} s:")
        out(f"  {report['events_per_second']} events/s over HTTP; {report['stored']} events were new")
        out(f"  a batch took {report['batch_p50_ms']} ms (p50), {report['batch_p95_ms']} ms (p95)")
        for what in ("runs", "sends"):
            out(f"  {what}: {', '.join(f'{count} {status}' for status, count in report[what].items()) or 'none'}")
        out(f"  the mails: {report['outbox_dir']} and {report['outbox_url']}")
        for bucket_id, moves in report["buckets"].items():
            last = f"; the last to join: {', '.join(moves['newest'])}" if moves["newest"] else ""
            out(f"  {bucket_id}: {moves['size']} are in, {moves['left']} have left again{last}")
        out("")
        for check in report["checks"]:
            verdict = "fits   " if check["ok"] else "DIFFERS"
            out(f"  {verdict} {check['what']:<32} {check['expected']:>12} in the file {check['found']:>12} found")
            for example in check["examples"]:
                out(f"            {example}")
        for refusal in report["refusals"]:
            out(f"  REFUSED {refusal}")
        out("\nEvery number fits.\n" if report["ok"] else "\nThe numbers do not fit; see above where.\n")


def positive(text: str) -> int:
    """Read a whole number of at least one; argparse names the argument when it is not."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError
    return int(text)


def _send(purchases: list[Purchase], options: dict[str, Any], *, base_url: str, api_key: str, screen: TextIO) -> Replay:
    lanes = batches(purchases, size=min(options["batch"], 1000), lanes=options["connections"])
    done = 0
    with meter(screen, "events sent", len(purchases)) as shown:

        def progress(count: int) -> None:
            nonlocal done
            done += count
            shown.reach(done)

        return replay(lanes, base_url=base_url, api_key=api_key, progress=progress)


def _settle(screen: TextIO) -> bool:
    """Wait until workers have nothing left to do; False when they stop getting on."""
    work = unfinished()
    least, moved_at = work, time.monotonic()
    with meter(screen, "mails and journeys", work.sent + work.left) as shown:
        while work.left:
            if work != least:
                least, moved_at = work, time.monotonic()
            if time.monotonic() - moved_at > PATIENCE:
                screen.write(
                    f"Nothing has moved for {PATIENCE:.0f} s: {work.active_runs} runs are active, "
                    f"{work.due_wakeups} wakeups are due, {work.waiting_mails} mails wait. "
                    "`manage.py doctor` tells whether workers and beat run.\n"
                )
                return False
            shown.reach(work.sent, work.sent + work.left)
            time.sleep(LOOK)
            work = unfinished()
        shown.reach(work.sent, work.sent)
    return True


def _report(purchases: list[Purchase], sent: Replay, *, base_url: str, seconds: float) -> dict[str, Any]:
    compared = [*checks(purchases), *bucket_checks(purchases, now=database_now())]
    return {
        "ok": all(check.holds for check in compared) and sent.refused == 0,
        "people": len({purchase.customer for purchase in purchases}),
        "events": sent.sent,
        "stored": sent.stored,
        "refused": sent.refused,
        "refusals": sent.refusals,
        "seconds": round(seconds, 1),
        "events_per_second": round(sent.sent / sent.seconds) if sent.seconds else 0,
        "batch_p50_ms": round(sent.percentile(0.5)),
        "batch_p95_ms": round(sent.percentile(0.95)),
        **by_status(purchases),
        "buckets": bucket_moves(purchases),
        "outbox_dir": str(settings.HOGSEND_OUTBOX_DIR),
        "outbox_url": f"{base_url}/outbox/",
        "checks": [_line(check) for check in compared],
    }


def _line(check: Check) -> dict[str, Any]:
    return {
        "what": check.what,
        "expected": str(check.expected),
        "found": str(check.found),
        "differing": check.differing,
        "examples": list(check.examples),
        "ok": check.holds,
    }
