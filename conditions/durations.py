"""Durations in the plain form of conditions: hours, minutes and seconds, which may be broken numbers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from conditions.operators import is_number
from conditions.tree import ConditionError

UNITS: Final = {"hours": 3_600_000, "minutes": 60_000, "seconds": 1_000}  # in milliseconds


def milliseconds(duration: timedelta) -> int:
    """Return the length in whole milliseconds."""
    return round(duration / timedelta(milliseconds=1))


def duration_of(data: Any) -> timedelta:
    """Read ``{"hours": 168}`` and the like, or take a timedelta as it is. Raises ConditionError."""
    if isinstance(data, timedelta):
        return data
    if not isinstance(data, Mapping) or not data or set(data) - set(UNITS) or not all(map(is_number, data.values())):
        raise ConditionError(f"{data!r} is no duration; write one like days(7), or in data like {{'hours': 168}}.")
    try:
        return timedelta(milliseconds=sum(UNITS[unit] * count for unit, count in data.items()))
    except OverflowError:
        raise ConditionError(f"{data!r} is too long for a duration.") from None


def duration_data(duration: timedelta) -> dict[str, float]:
    """Return the shortest plain form: whole hours, whole minutes, or seconds."""
    total = milliseconds(duration)
    for unit in ("hours", "minutes"):
        if total % UNITS[unit] == 0:
            return {unit: total // UNITS[unit]}
    return {"seconds": total // 1000 if total % 1000 == 0 else total / 1000}


def in_words(duration: timedelta) -> str:
    """Say it in the largest unit that fits, like ``7 days``."""
    total = milliseconds(duration)
    for word, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if total % size == 0:
            count = total // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{total / 1000:g} seconds"


def interval(duration: timedelta) -> str:
    """Write it as a literal of SQL."""
    return f"interval '{milliseconds(duration)} milliseconds'"
