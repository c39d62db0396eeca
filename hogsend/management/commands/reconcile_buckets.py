"""`manage.py reconcile_buckets`: follow the clock now."""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from buckets.actions import Reconciled, Standing, follow
from hogsend.clock import database_now
from hogsend.management.buckets import BucketCommand, live_buckets

WHY = {
    Standing.OFF: "is switched off, so nobody was judged",
    Standing.BACKFILL: "waits for the backfill that judges everybody; `manage.py backfill_bucket` does it now",
}


class Command(BucketCommand):
    help = "Move people whom only time has moved, now and in this process, as the schedule does every few minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="id", help="which buckets; all that are enabled if not given")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterator[str], bool]:
        """Follow the clock for each bucket, one after the other."""
        now = database_now()
        done = [(bucket.id, *follow(bucket, now=now)) for bucket in live_buckets(options["ids"])]
        document = [{"id": name, "standing": standing.value, **asdict(counts)} for name, standing, counts in done]
        return {"buckets": document}, (_line(*one) for one in done), True


def _line(name: str, standing: Standing, done: Reconciled) -> str:
    if standing != Standing.ON:
        return f"{name} {WHY[standing]}."
    return f"{name}: judged {done.judged:,}, joined {done.joined:,}, left {done.left:,}, events told {done.told:,}."
