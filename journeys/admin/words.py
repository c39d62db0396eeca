"""What journeys declare and do, in words for staff."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from conditions.durations import in_words
from conditions.property import PropertyCondition
from journeys.definitions import Journey, registry
from journeys.models import JourneyOverride, RunStatus
from journeys.overview import Awaited
from journeys.rules import EntryLimit, SkipReason

TONES: Final = {
    RunStatus.ACTIVE: ("info", "live"),
    RunStatus.WAITING: ("info", "live"),
    RunStatus.COMPLETED: ("success", "good"),
    RunStatus.FAILED: ("danger", "bad"),
    RunStatus.EXITED: ("warning", "warn"),
}
REASONS: Final[dict[str, str]] = {
    SkipReason.DISABLED_BY_ADMIN: "the journey was switched off",
    SkipReason.CONDITIONS: "the event was not as the journey wants it",
    SkipReason.ENTERED_ONCE: "entered before, and it takes nobody twice",
    SkipReason.PERIOD: "the last entry was too recent",
    SkipReason.UNSUBSCRIBED: "unsubscribed from all mail",
    SkipReason.ACTIVE: "in the journey already",
}
LIMITS: Final = {
    EntryLimit.ONCE: "once per person",
    EntryLimit.ONCE_PER_PERIOD: "again {} after the last entry",
    EntryLimit.UNLIMITED: "each time, but not twice at once",
}


@dataclass(frozen=True, slots=True)
class State:
    """Where a journey stands: ``kind`` is ``on``, ``paused``, ``off`` or ``gone`` from the code."""

    kind: str
    words: str
    tone: str


def declared(journey_id: str) -> Journey | None:
    """Return the journey if the code has it."""
    return registry.get(journey_id) if journey_id in registry else None


def state_of(journey: Journey | None, override: JourneyOverride) -> State:
    """Say where a journey stands; standing runs come before closed doors."""
    if journey is None:
        return State("gone", "not in the code", "plain")
    if not journey.is_wanted:
        return State("off", "left out here", "plain")
    if override.paused:
        return State("paused", "paused" if journey.enabled and override.enabled else "paused and off", "warn")
    if not journey.enabled:
        return State("off", "off in the code", "plain")
    return State("on", "on", "good") if override.enabled else State("off", "switched off", "warn")


def policy(journey: Journey) -> list[tuple[str, Any]]:
    """Say what a journey declares: who enters, what ends it, and what its mails are."""
    period = in_words(journey.entry_period) if journey.entry_period else ""
    exits = [rule.event + _where(rule.where) for rule in journey.exit_on]
    gap = f"{in_words(journey.suppress)} between two mails to one person" if journey.suppress else ""
    return [
        ("Id", journey.id),
        ("Begins with", journey.trigger + _where(journey.where)),
        ("Entry", LIMITS[journey.entry_limit].format(period)),
        ("Ends early with", "; ".join(exits) or "nothing"),
        ("Least time", gap),
        ("Category of its mails", journey.category or "each mail's own"),
        ("Version", journey.version),
        ("Declared in", f"{journey.source.file.removeprefix(f'{settings.BASE_DIR}/')}:{journey.source.line}"),
    ]


def waits_for(awaited: Awaited) -> str:
    """Say what a run waits for."""
    if awaited.event is None:
        return "time to pass"
    where = tuple(PropertyCondition.from_data(condition) for condition in awaited.where)
    return f"the event {awaited.event}{_where(where)}"


def _where(where: Iterable[PropertyCondition]) -> str:
    words = " and ".join(condition.in_words() for condition in where)
    return f" if {words}" if words else ""
