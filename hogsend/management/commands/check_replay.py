"""`manage.py check_replay`: whom would a deploy of this code change who is on the way through a journey?"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from hogsend.clock import database_now
from hogsend.management.buckets import BucketCommand
from journeys.definitions import registry
from journeys.models import LIVE
from journeys.queries import RecordedRun, live_journey_ids, recorded_runs
from journeys.recordings import RecordingError, read_recordings, write_recording
from journeys.verdicts import Judged, Verdict, judge

WORDS = {
    Verdict.SAME: "unchanged",
    Verdict.NEW_STEPS: "with new steps",
    Verdict.SKIPS_STEPS: "skipping steps",
    Verdict.UNSTABLE: "unstable",
    Verdict.ABSENT: "that this code cannot play",
}


@dataclass
class Tally:
    """What was found about the runs of one journey; names the first who change, the harmed before all others."""

    limit: int
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    harmful: int = 0
    _harmed: list[Judged] = field(default_factory=list)
    _changed: list[Judged] = field(default_factory=list)

    def add(self, judged: Judged, *, harms: bool) -> None:
        """Count a run."""
        self.verdicts[judged.verdict] += 1
        self.harmful += harms
        if judged.verdict is not Verdict.SAME:
            named = self._harmed if harms else self._changed
            named += [judged] if len(named) < self.limit else []

    @property
    def named(self) -> list[Judged]:
        """Whom to name."""
        return [*self._harmed, *self._changed][: self.limit]


class Command(BucketCommand):
    help = (
        "Replay the journals of live runs against the code as it is, without any effect, and say whom it would change. "
        "Exits with 1 if somebody would get a mail again or another in its place, or if a run could not go on. "
        "With --corpus, replay recorded files instead; then any change is a failure."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("journeys", nargs="*", metavar="journey", help="which journeys; all if not given")
        parser.add_argument("--all", action="store_true", help="also replay runs that have ended; they harm nobody")
        parser.add_argument("--limit", type=int, default=10, help="how many people to name per journey; 10 by default")
        parser.add_argument("--corpus", type=Path, metavar="FILE|DIR", help="replay these recordings instead")
        parser.add_argument("--export", type=Path, metavar="FILE", help="also write what is replayed into a file")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterator[str], bool]:
        """Replay what was asked for."""
        if options["limit"] < 0:
            raise CommandError(f"--limit is {options['limit']}; give 0 or more.")
        if options["corpus"] and (options["export"] or options["all"]):
            raise CommandError("--corpus replays what its files hold; leave out --all and --export.")
        try:
            if options["corpus"]:
                tallies = self._tally_corpus(options)
                well = all(set(tally.verdicts) <= {Verdict.SAME} for tally in tallies.values())
            else:
                tallies = self._tally_database(options)
                well = not any(tally.harmful for tally in tallies.values())
        except RecordingError as error:
            raise CommandError(str(error)) from error
        return _document(tallies, well=well), _lines(tallies, well=well), well

    def _tally_corpus(self, options: dict[str, Any]) -> dict[str, Tally]:
        names = set(options["journeys"])
        runs = [run for run in read_recordings(options["corpus"]) if not names or run.journey_id in names]
        if missing := names - {run.journey_id for run in runs}:
            raise CommandError(f"{options['corpus']} holds no run of {', '.join(sorted(missing))}.")
        return _tallied(((judge(run), True) for run in runs), options["limit"])

    def _tally_database(self, options: dict[str, Any]) -> dict[str, Tally]:
        now = database_now()
        runs: Iterable[RecordedRun] = recorded_runs(_wanted(options), ended=options["all"])
        if options["export"]:
            runs = list(runs)
            try:
                write_recording(options["export"], runs)
            except OSError as error:
                raise CommandError(f"{options['export']} cannot be written: {error.strerror}.") from error
        return _tallied(((judge(run, now=now), run.status in LIVE) for run in runs), options["limit"])


def _wanted(options: dict[str, Any]) -> list[str]:
    """Return which journeys to look at. Raises CommandError for one that is neither declared nor has live runs."""
    live = live_journey_ids()
    for name in options["journeys"]:
        if name not in registry and name not in live:
            raise CommandError(f"{registry.unknown(name)} `manage.py content` lists what is declared.")
    declared = [journey.id for journey in registry] if options["all"] else []
    return options["journeys"] or sorted({*live, *declared})


def _tallied(judged: Iterable[tuple[Judged, bool]], limit: int) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for one, counts in judged:
        tallies.setdefault(one.run.journey_id, Tally(limit)).add(one, harms=one.harmful and counts)
    return tallies


def _document(tallies: dict[str, Tally], *, well: bool) -> dict[str, Any]:
    journeys = [
        {
            "id": journey_id,
            "runs": tally.verdicts.total(),
            **{verdict.value: tally.verdicts[verdict] for verdict in Verdict},
            "harmful": tally.harmful,
            "people": [_person(judged) for judged in tally.named],
        }
        for journey_id, tally in tallies.items()
    ]
    return {"ok": well, "journeys": journeys}


def _person(judged: Judged) -> dict[str, Any]:
    return {
        "userId": judged.run.user_key,
        "runId": str(judged.run.id),
        "status": judged.run.status,
        "version": judged.run.version,
        "verdict": judged.verdict.value,
        "why": judged.why,
        "new": list(judged.new),
        "skipped": list(judged.skipped),
        "harmful": judged.harmful,
    }


def _lines(tallies: dict[str, Tally], *, well: bool) -> Iterator[str]:
    if not tallies:
        yield "There is no run to replay."
        return
    for journey_id, tally in tallies.items():
        counts = ", ".join(
            f"{tally.verdicts[verdict]:,} {WORDS[verdict]}" for verdict in Verdict if verdict in tally.verdicts
        )
        yield f"{journey_id}: {counts}"
        for judged in tally.named:
            yield f"  {'!' if judged.harmful else ' '} {judged.run.user_key}  {judged.run.id}  {judged.why}"
    yield "\nAll is well." if well else "\nDo not deploy this: see the lines marked with !, or those named above."
