"""What a deploy of the code as it is would mean for the people who are on their way through journeys."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.db import InternalError, connection, transaction

from journeys.control import DatabaseAway, StepLimitReached
from journeys.definitions import index
from journeys.deploys import PATCH, absence_of
from journeys.models import LIVE
from journeys.queries import RecordedRun
from journeys.replay import Replayed, replay

SEND: Final = "send:"
ONCE_ONLY: Final = (SEND, "trigger:")
MOST_NAMED: Final = 5
WRITES: Final = "Its code writes to the database by itself, and would again in every replay; do that in ctx.once(...)."


class Verdict(StrEnum):
    """What the code as it is would do with a run."""

    SAME = "same"
    NEW_STEPS = "new_steps"
    SKIPS_STEPS = "skips_steps"
    UNSTABLE = "unstable"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Judged:
    """A run, and what the code as it is would do with it.

    Attributes:
        why: A sentence for people; empty if nothing changes.
        new: The keys of steps that it would take before it gets to where it stands.
        skipped: The keys of recorded steps that it would not meet.
        harmful: Whether the person would get a mail again or another one in its place, or the run could not go on.
    """

    run: RecordedRun
    verdict: Verdict
    why: str = ""
    new: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    harmful: bool = False


def judge(run: RecordedRun, *, now: datetime | None = None) -> Judged:
    """Say what the code as it is would do with a run. Nothing is written, sent or called.

    With ``now``, new questions about the person are answered by the database as of now; without, it is not touched.
    """
    if why := absence_of(run.journey_id, run.version):
        return Judged(run, Verdict.ABSENT, why, harmful=True)
    journey = index().by_id[run.journey_id]
    if now is None:
        return _judged(run, replay(run, journey, now=None))
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute("set transaction read only")
            return _judged(run, replay(run, journey, now=now))
        finally:
            transaction.set_rollback(True)


def _judged(run: RecordedRun, found: Replayed) -> Judged:
    if isinstance(found.ended, DatabaseAway):
        raise found.ended.error
    skipped = [key for key in found.missed if not key.startswith(PATCH)]
    judged = Judged(run, Verdict.SAME, new=tuple(found.new), skipped=tuple(skipped))
    if isinstance(found.error, InternalError):
        return replace(judged, verdict=Verdict.UNSTABLE, why=WRITES)
    if why := _failure(found) or _harm(judged):
        return replace(judged, verdict=Verdict.UNSTABLE, why=why, harmful=True)
    if _is_reordered(run, found):
        why = "It would come to mails that it has sent in another order."
        return replace(judged, verdict=Verdict.UNSTABLE, why=why)
    if judged.new or judged.skipped:
        verdict = Verdict.NEW_STEPS if judged.new else Verdict.SKIPS_STEPS
        return replace(judged, verdict=verdict, why=_change(judged, found))
    return judged


def _failure(found: Replayed) -> str:
    if found.error is not None:
        return f"It would fail: {type(found.error).__name__}: {found.error}"
    return "It would fail: step_limit." if isinstance(found.ended, StepLimitReached) else ""


def _harm(judged: Judged) -> str:
    """Say which mail or event would be made anew while a recorded one is not met, or nothing."""
    missed = {_what(key): key for key in reversed(judged.skipped) if key.startswith(ONCE_ONLY)}
    again = next((key for key in judged.new if _what(key) in missed), None)
    if again is not None:
        verb, what = _what(again)
        return f"It would {verb} {what!r} again: what is recorded as {missed[verb, what]} would now be {again}."
    made = next((key for key in judged.new if key.startswith(SEND)), None)
    replaced = next((key for key in judged.skipped if key.startswith(SEND)), None)
    if made is not None and replaced is not None:
        return f"It would send {made}, though it sent {replaced} instead, which it would not meet."
    return ""


def _what(key: str) -> tuple[str, str]:
    """Return what a step does, and to what: ("send", "welcome") for send:start:welcome."""
    return key.partition(":")[0], key.rpartition(":")[2]


def _is_reordered(run: RecordedRun, found: Replayed) -> bool:
    order = {step["key"]: number for number, step in enumerate(run.steps)}
    numbers = [order[key] for key in found.met if key in order and key.startswith(SEND)]
    return numbers != sorted(numbers)


def _change(judged: Judged, found: Replayed) -> str:
    sentences = []
    if judged.new:
        sentences.append(f"It would take new steps from {judged.new[0]}.")
    if judged.skipped:
        more = len(judged.skipped) - MOST_NAMED
        sentences.append(
            f"It would skip {', '.join(judged.skipped[:MOST_NAMED])}{f' and {more} more' if more > 0 else ''}."
        )
    if found.came_to_the_end and judged.run.status in LIVE:
        sentences.append("Then it would end.")
    if found.was_cut_short:
        sentences.append("What comes after that cannot be foreseen.")
    return " ".join(sentences)
