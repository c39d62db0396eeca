"""Moments in words, in the person's zone: ``ctx.when.next("tuesday").at("08:00")``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from hogsend.lib.localtime import (
    IfPast,
    Local,
    Window,
    if_past_named,
    time_named,
    weekday_named,
    zone_named,
)


@dataclass(frozen=True, slots=True)
class OnDay:
    """A day that still needs its time."""

    find: Callable[[time], datetime]

    def at(self, time_of_day: str) -> datetime:
        """Return the moment of that day, in UTC, when clocks show ``time_of_day``, such as ``08:00``.

        Raises TypeError for what is no time from 00:00 to 23:59.
        """
        return self.find(time_named(time_of_day))


@dataclass(frozen=True, slots=True)
class When:
    """Finds moments by what clocks show where the person lives, for ``ctx.sleep_until``.

    Every refinement returns another builder; make them before the call that finds the moment. A time that clocks skip
    moves forward by as much as they do; of one that they show twice, the first counts; days are days of the calendar.

    Attributes:
        zone: The zone.
        now: What the time is.
        hours: The window into which every moment is moved at the end, if any.
        past: What becomes of a time that has passed.

    Example:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
        >>> when = When(ZoneInfo("Europe/Berlin"), lambda: noon)
        >>> when.next("tuesday").at("08:00").isoformat()
        '2026-05-05T06:00:00+00:00'
        >>> when.window("09:00", "20:00").tomorrow().at("07:30").isoformat()
        '2026-05-02T07:00:00+00:00'
    """

    zone: ZoneInfo
    now: Callable[[], datetime]
    hours: Window | None = None
    past: IfPast = IfPast.NEXT

    def next(self, weekday: str) -> OnDay:
        """Choose the next such weekday, such as ``tue`` or ``tuesday``: today if the time is still ahead.

        Raises TypeError for what is no weekday.
        """
        number = weekday_named(weekday)
        return OnDay(lambda at: self._here().next_weekday(number, at))

    def next_local(self, time_of_day: str) -> datetime:
        """Return when clocks show ``time_of_day`` next: today if that is still ahead, else tomorrow.

        Raises TypeError for what is no time from 00:00 to 23:59.
        """
        return self._here().next_time(time_named(time_of_day))

    def tomorrow(self) -> OnDay:
        """Choose the day after today."""
        return self.in_days(1)

    def in_days(self, count: int) -> OnDay:
        """Choose the day that comes ``count`` days after today in the calendar, whether they have 23, 24 or 25 hours.

        Raises TypeError for what is no whole number, ValueError for a negative one.
        """
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"ctx.when.in_days takes a whole number; it got {count!r}. For a duration, use in_(...).")
        if count < 0:
            raise ValueError(f"ctx.when.in_days cannot go back to {count!r}; give 0 for today, or more.")
        return OnDay(lambda at: self._here().in_days(count, at))

    def in_(self, duration: timedelta) -> OnDay:
        """Choose the day on which exactly ``duration`` will have passed, such as ``days(2)``.

        A day is 24 hours here, so after midnight before a day of 25 hours, ``days(1)`` from now is still today. Count
        calendar days with ``in_days``. Raises TypeError for what is no duration, ValueError for a negative one.
        """
        if not isinstance(duration, timedelta):
            raise TypeError(f"ctx.when.in_ takes a duration, like days(2); it got {duration!r}.")
        if duration < timedelta(0):
            raise ValueError(f"ctx.when.in_ cannot go back by {duration!r}; the duration must not be negative.")
        return OnDay(lambda at: self._here().after(duration, at))

    def tz(self, zone: str) -> "When":
        """Take this zone, such as ``Europe/Berlin``, whatever is known of the person. Raises TypeError for others."""
        return replace(self, zone=zone_named(zone))

    def window(self, start: str, end: str) -> "When":
        """Move what is found into the hours from ``start`` up to ``end``: to when they next begin.

        ``window("22:00", "06:00")`` goes over midnight, and equal times are always open. Raises TypeError for what is
        no time from 00:00 to 23:59.
        """
        return replace(self, hours=Window(time_named(start), time_named(end)))

    def if_past(self, choice: Literal["next", "now"]) -> "When":
        """Say what a time that is not ahead any more becomes: the ``next`` such time (the default), or ``now``.

        Raises TypeError for anything else.
        """
        return replace(self, past=if_past_named(choice))

    def _here(self) -> Local:
        return Local(self.now(), self.zone, self.hours, self.past)
