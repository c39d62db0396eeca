"""What a journey may be declared with; what could never work is refused with a sentence that says what to write."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from conditions.property import PropertyCondition
from conditions.reading import Where, property_conditions
from conditions.tree import ConditionError
from hogsend.lib.playable import fault_of
from journeys.rules import EntryLimit
from journeys.versions import fault_of_versions

JOURNEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEFAULT_PERIOD: Final = timedelta(hours=24)


class InvalidJourneyError(ValueError):
    """A journey is declared in a way that cannot work; the message says what to change."""


@dataclass(frozen=True)
class ExitRule:
    """An event that ends a run early, perhaps only when its properties fit."""

    event: str
    where: tuple[PropertyCondition, ...] = ()


def require_id(journey_id: object) -> None:
    """Refuse an id that could not stand in addresses and keys."""
    if not isinstance(journey_id, str) or not JOURNEY_ID.fullmatch(journey_id):
        raise InvalidJourneyError(
            f"The journey id {journey_id!r} is not usable; "
            "take letters, digits and, after the first, also '.', '_' and '-'."
        )


def require_playable(run: object, journey_id: str) -> None:
    """Refuse what is no function of a journey."""
    if fault := fault_of(run):
        raise InvalidJourneyError(f"The journey {journey_id!r} {fault}.")


def require_versions(version: object, keep: object, journey_id: str) -> None:
    """Refuse versions that contradict each other."""
    if fault := fault_of_versions(version, keep):
        raise InvalidJourneyError(f"The journey {journey_id!r} {fault}.")


def event_name(name: object, owner: str) -> str:
    """Return the exact name of an event."""
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise InvalidJourneyError(f"{owner} needs the exact name of an event, like 'user.created'; it got {name!r}.")
    return name


def where_of(where: Where, journey_id: str) -> tuple[PropertyCondition, ...]:
    """Read the conditions on the trigger event."""
    try:
        return property_conditions(where)
    except ConditionError as error:
        raise ConditionError(f"The journey {journey_id!r}: {error}") from None


def entry_limit_of(value: str, journey_id: str) -> EntryLimit:
    """Read how often one person may enter."""
    try:
        return EntryLimit(value)
    except ValueError:
        options = ", ".join(repr(option.value) for option in EntryLimit)
        raise InvalidJourneyError(f"The entry_limit of {journey_id!r} is {value!r}; take one of {options}.") from None


def entry_period_of(limit: str, period: timedelta | None, journey_id: str) -> timedelta | None:
    """Read how long after an entry the next may follow."""
    if EntryLimit(limit) is not EntryLimit.ONCE_PER_PERIOD:
        if period is not None:
            raise InvalidJourneyError(
                f"The journey {journey_id!r} has an entry_period; add entry_limit='once_per_period'."
            )
        return None
    if period is None:
        return DEFAULT_PERIOD
    if not isinstance(period, timedelta) or period <= timedelta(0):
        raise InvalidJourneyError(
            f"The entry_period of {journey_id!r} is {period!r}; write a positive one, like days(3)."
        )
    return period


def exit_rules_of(exit_on: Iterable[str | ExitRule], journey_id: str) -> tuple[ExitRule, ...]:
    """Read which events end a run early."""
    if isinstance(exit_on, str | ExitRule):
        raise InvalidJourneyError(f"The exit_on of {journey_id!r} must be a list; write exit_on=[{exit_on!r}].")
    owner = f"exit_on of the journey {journey_id!r}"
    return tuple(item if isinstance(item, ExitRule) else ExitRule(event_name(item, owner)) for item in exit_on)


def suppress_of(value: object, journey_id: str) -> timedelta:
    """Read the least time between two mails."""
    if not isinstance(value, timedelta) or value < timedelta(0):
        raise InvalidJourneyError(f"The suppress of {journey_id!r} is {value!r}; write a duration, like hours(12).")
    return value
