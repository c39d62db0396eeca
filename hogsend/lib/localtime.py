"""Wall-clock times in a person's zone: which moment "Tuesday at 08:00" is, also where clocks jump."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
# Files of a zone database which are the name of no place: that of this machine, and that of none.
NO_PLACES: Final = frozenset({"localtime", "Factory"})

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS: Final = {name: day for day, full in enumerate(_WEEKDAYS) for name in (full, full[:3])}
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})")


class IfPast(StrEnum):
    """What becomes of a time that is not ahead any more: its next occurrence, or this moment."""

    NEXT = "next"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a day that are open: ``[start, end)``, over midnight if the end is the earlier, always if equal."""

    start: time
    end: time

    def holds(self, wall: time) -> bool:
        """Say whether the window is open when clocks show ``wall``."""
        if self.start < self.end:
            return self.start <= wall < self.end
        return self.start == self.end or wall >= self.start or wall < self.end


@dataclass(frozen=True, slots=True)
class Local:
    """Now, in a zone, and what holds for every time that is asked for."""

    now: datetime
    zone: ZoneInfo
    window: Window | None = None
    if_past: IfPast = IfPast.NEXT

    def __post_init__(self) -> None:
        # To add a duration to a time of another zone moves the hands of its clock, not the time.
        object.__setattr__(self, "now", self.now.astimezone(UTC))

    def next_weekday(self, weekday: int, at: time) -> datetime:
        """Return that weekday at that time: today if it is ahead still, else within the next seven days."""
        ahead = timedelta(days=(weekday - self._today.weekday()) % 7)
        return self._moment(lambda: self._today + ahead, at, step=WEEK)

    def next_time(self, at: time) -> datetime:
        """Return that time of today if it is ahead still, else of tomorrow."""
        return self._moment(lambda: self._today, at, step=DAY)

    def in_days(self, count: int, at: time) -> datetime:
        """Return that time so many days further in the calendar, however long they are."""
        return self._moment(lambda: self._today + timedelta(days=count), at, step=DAY)

    def after(self, duration: timedelta, at: time) -> datetime:
        """Return that time of the day on which exactly ``duration`` will have passed."""
        return self._moment(lambda: (self.now + duration).astimezone(self.zone).date(), at, step=DAY)

    @property
    def _today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def _moment(self, day_of: Callable[[], date], at: time, *, step: timedelta) -> datetime:
        try:
            found = self._ahead(day_of(), at, step)
            return found if self.window is None else clamp(found, self.window, self.zone)
        except OverflowError:
            raise ValueError("That is later than the year 9999; ask for a time that comes sooner.") from None

    def _ahead(self, day: date, at: time, step: timedelta) -> datetime:
        """Return ``at`` on ``day``, or what ``if_past`` makes of it. A day is taken anew, never an instant moved on."""
        found = instant(day, at, self.zone)
        if self.if_past is IfPast.NOW:
            return max(found, self.now)
        while found <= self.now:
            day += step
            found = instant(day, at, self.zone)
        return found


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the moment when clocks show ``at``; the first if they do twice, moved by the jump if they skip it."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def clamp(moment: datetime, window: Window, zone: ZoneInfo) -> datetime:
    """Return ``moment`` if clocks show an open hour then, else when they next show the start of the window."""
    moment, local = moment.astimezone(UTC), moment.astimezone(zone)
    if window.holds(local.time()):
        return moment
    return next(
        opening
        for opening in _openings(local.date(), window.start, zone)
        if opening > moment and window.holds(opening.astimezone(zone).time())
    )


def _openings(day: date, start: time, zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        first, second = (datetime.combine(day, start, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        yield first
        if second > first:  # where clocks skip the start, the second is the earlier one, and no opening
            yield second
        day += DAY


def zone_or_none(name: object) -> ZoneInfo | None:
    """Return the IANA zone of that name, however it is capitalised; None for whatever is none."""
    if not isinstance(name, str):
        return None
    found = _zones().get(name.strip().lower())
    return None if found is None else ZoneInfo(found)


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - NO_PLACES}


def zone_named(name: object) -> ZoneInfo:
    """Return the IANA zone of that name. Raises TypeError for any other value."""
    zone = zone_or_none(name)
    if zone is None:
        raise TypeError(f"{name!r} is no time zone; give an IANA name like 'Europe/Berlin'.")
    return zone


def weekday_named(name: object) -> int:
    """Return the number of a weekday, Monday being 0, from ``tue`` or ``Tuesday``. Raises TypeError for others."""
    number = _NUMBERS.get(name.lower()) if isinstance(name, str) else None
    if number is None:
        raise TypeError(f"{name!r} is no weekday; give one like 'tue' or 'tuesday'.")
    return number


def time_named(text: object) -> time:
    """Return a time of day from ``8:00`` or ``08:00``, up to ``23:59``. Raises TypeError for anything else."""
    found = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:  # noqa: PLR2004 - the last of the day
        raise TypeError(f"{text!r} is no time of day; give one like '08:00', from 00:00 to 23:59.")
    return time(int(found[1]), int(found[2]))


def window_named(text: str) -> Window:
    """Return a window from text like ``09:00-20:00``. Raises TypeError for anything else."""
    start, dash, end = text.partition("-")
    if not dash:
        raise TypeError(f"{text!r} is no window; give its start and its end, like '09:00-20:00'.")
    return Window(time_named(start), time_named(end))


def if_past_named(name: object) -> IfPast:
    """Return what to do about a time that has passed: ``next`` or ``now``. Raises TypeError for others."""
    if not isinstance(name, str) or name not in set(IfPast):
        raise TypeError(f"{name!r} says nothing of a time that has passed; give 'next' or 'now'.")
    return IfPast(name)
