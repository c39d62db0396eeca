"""What a bucket may be, and how its transitions are called."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from conditions.tree import Node, events_of

PREFIX = "bucket:"


class EntryLimit(StrEnum):
    """How often joining is announced; membership itself always follows the criteria."""

    UNLIMITED = "unlimited"
    ONCE = "once"
    ONCE_PER_PERIOD = "once_per_period"


class Transition(StrEnum):
    """What happens to a membership, as it stands in events."""

    ENTERED = "entered"
    LEFT = "left"
    DWELL = "dwell"


def event_name(transition: str, *more: str) -> str:
    """Return the name of the event that tells of a transition: of a bucket, of one of its dwells, or of any bucket."""
    return ":".join([f"{PREFIX}{transition}", *more])


def event_key(transition: str, bucket_id: str, person: str, entry_number: int) -> str:
    """Return the idempotency key of that event: one per person and entry."""
    return f"{PREFIX}{bucket_id}:{person}:{transition}:{entry_number}"


def dwell_key(bucket_id: str, person: str, label: str, entry_number: int, ordinal: int) -> str:
    """Return the idempotency key of a dwell: one per person, entry and time; of the first entry, as it always was."""
    entry = "" if entry_number == 1 else f"{entry_number}:"
    return f"{PREFIX}{bucket_id}:{person}:{Transition.DWELL}:{label}:{entry}{ordinal}"


def faults_of_criteria(criteria: Node) -> Iterable[str]:
    """Say what makes criteria useless for a bucket."""
    if all(leaf.is_negative() for leaf in criteria.leaves()):
        yield "its criteria only say what people lack; add a condition that somebody unknown does not fulfil"
    if own := sorted(name for name in events_of(criteria) if name.startswith(PREFIX)):
        yield f"its criteria count {own[0]!r}, which buckets cause themselves; count what people do"


def faults_of_policy(
    *, entry_limit: str, entry_period: timedelta | None, min_dwell: timedelta | None, max_dwell: timedelta | None
) -> Iterable[str]:
    """Say what contradicts itself in the times and limits of a bucket."""
    if entry_limit not in list(EntryLimit):
        yield f"its entry_limit is {entry_limit!r}; use one of: {', '.join(EntryLimit)}"
    if entry_period is not None and entry_limit != EntryLimit.ONCE_PER_PERIOD:
        yield "it has an entry_period; add entry_limit='once_per_period'"
    for name, duration in (("entry_period", entry_period), ("min_dwell", min_dwell), ("max_dwell", max_dwell)):
        if duration is not None and (not isinstance(duration, timedelta) or duration <= timedelta(0)):
            yield f"its {name} is {duration!r}; write a positive one, like days(3)"
            return
    if min_dwell is not None and max_dwell is not None and max_dwell < min_dwell:
        yield "its max_dwell is less than its min_dwell"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a stay that lasts is told of: once ``after`` so long, or every time so long has passed again."""

    offset: timedelta
    repeats: bool

    @property
    def label(self) -> str:
        """Names it in events and ids: ``after-<ms>`` or ``every-<ms>``."""
        return f"{'every' if self.repeats else 'after'}-{round(self.offset / timedelta(milliseconds=1))}"
