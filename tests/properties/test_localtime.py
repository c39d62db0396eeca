"""Moments of the wall clock agree, in every zone of the world and wherever clocks jump, with a walk minute by minute.

The walk only asks what clocks show at a moment of UTC. LOCALTIME_SWEEP=full asks, from a whole day before to one after
every jump, for times of the whole day, which takes minutes; otherwise for those at the edges of the jump.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hogsend.lib.localtime import IfPast, Local, Window, clamp, instant, zone_or_none

FULL = os.environ.get("LOCALTIME_SWEEP") == "full"
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
OF_AN_HOUR = [number * MINUTE for number in range(60)]
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
ZONES = sorted(name for name in available_timezones() if zone_or_none(name) is not None)

Jump = tuple[datetime, timedelta, timedelta]  # when, and the offsets before and after


def offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


def jumps(zone: ZoneInfo) -> Iterator[Jump]:
    """Every change of the offset in these years, to the minute."""
    for number in range((LAST - FIRST) // WEEK):  # no zone jumps twice in a week
        low, high = FIRST + number * WEEK, FIRST + (number + 1) * WEEK
        before, after = offset(zone, low), offset(zone, high)
        if before == after:
            continue
        while high - low > MINUTE:
            middle = low + (high - low) // MINUTE // 2 * MINUTE
            low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
        yield high, before, after


@dataclass(frozen=True)
class Walk:
    """What clocks of a zone show, minute by minute, around a jump."""

    zone: ZoneInfo
    jump: datetime

    @cached_property
    def minutes(self) -> list[tuple[datetime, datetime]]:
        hours = [self.jump + number * HOUR for number in range(-53, 212)]
        return [minute for hour in hours for minute in self._minutes_of(hour)]

    def _minutes_of(self, hour: datetime) -> list[tuple[datetime, datetime]]:
        moments = [hour + minute for minute in OF_AN_HOUR]
        if FULL or offset(self.zone, hour) != offset(self.zone, hour + HOUR):
            return [(moment, moment.astimezone(self.zone).replace(tzinfo=None)) for moment in moments]
        wall = hour.astimezone(self.zone).replace(tzinfo=None)
        return [(moment, wall + minute) for moment, minute in zip(moments, OF_AN_HOUR, strict=True)]

    @cached_property
    def first(self) -> dict[datetime, datetime]:
        """When clocks show a minute for the first time."""
        found: dict[datetime, datetime] = {}
        for moment, wall in self.minutes:
            found.setdefault(wall, moment)
        return found

    @cached_property
    def skips(self) -> list[tuple[datetime, datetime]]:
        """What clocks show before and after each jump forward."""
        return [(one, two) for (_, one), (_, two) in pairwise(self.minutes) if two - one > MINUTE]

    def instant(self, day: date, at: time) -> datetime:
        wall = datetime.combine(day, at)
        for one, two in self.skips:
            if one < wall < two:
                return self.first[wall + (two - one - MINUTE)]
        return self.first[wall]

    def ahead(self, now: datetime, day: date, at: time, step: timedelta) -> datetime:
        while (found := self.instant(day, at)) <= now:
            day += step
        return found

    def clamped(self, moment: datetime, start: time, end: time) -> datetime:
        """The same moment if it is open, else the next at which clocks show the start, or what a jump made of it."""
        moved = {
            self.instant(day, start)
            for one, two in self.skips
            for day in {one.date(), two.date()}
            if one < datetime.combine(day, start) < two
        }
        position = (moment - self.minutes[0][0]) // MINUTE
        if is_open(self.minutes[position][1].time(), start, end):
            return moment
        return next(
            one
            for one, wall in self.minutes[position + 1 :]
            if (wall.time() == start or one in moved) and is_open(wall.time(), start, end)
        )


def is_open(wall: time, start: time, end: time) -> bool:
    if start == end:
        return True
    minute, opens, closes = ((one.hour * 60 + one.minute) for one in (wall, start, end))
    return (minute - opens) % 1440 < (closes - opens) % 1440


def around(jump: Jump) -> tuple[list[datetime], list[time]]:
    """The moments from which, and the times for which is asked."""
    moment, before, after = jump
    edges = {(moment + before).replace(tzinfo=None), (moment + after).replace(tzinfo=None)}
    if FULL:
        nows = [moment + number * 97 * MINUTE for number in range(-16, 17)]
        ats = [time(hour, minute) for hour in range(24) for minute in (0, 29)]
        return nows, ats
    shifts = (-25 * HOUR, -61 * MINUTE, -MINUTE, 0 * HOUR, 31 * MINUTE, 23 * HOUR)
    middle = min(edges) + (max(edges) - min(edges)) / 2
    ats = {(edge + shift).time() for edge in edges for shift in (-MINUTE, 0 * HOUR)}
    return [moment + shift for shift in shifts], sorted(ats | {middle.time(), time(0), time(8), time(23, 59)})


def answers_of_rules(zone: ZoneInfo, now: datetime, ats: list[time]) -> list[datetime]:
    now = now.astimezone(zone)
    local, weekday = Local(now, zone), now.weekday()
    return [
        found
        for at in ats
        for found in (
            local.next_time(at),
            local.in_days(1, at),
            local.after(DAY, at),
            local.next_weekday(weekday, at),
            local.next_weekday((weekday + 1) % 7, at),
            *(clamp(now, Window(at, end), zone) for end in ends(at)),
        )
    ]


def answers_of_walk(walk: Walk, now: datetime, ats: list[time]) -> list[datetime]:
    wall = walk.minutes[(now - walk.minutes[0][0]) // MINUTE][1]
    later = walk.minutes[(now + DAY - walk.minutes[0][0]) // MINUTE][1]
    today = wall.date()
    return [
        found
        for at in ats
        for found in (
            walk.ahead(now, today, at, DAY),
            walk.ahead(now, today + DAY, at, DAY),
            walk.ahead(now, later.date(), at, DAY),
            walk.ahead(now, today, at, WEEK),
            walk.ahead(now, today + DAY, at, WEEK),
            *(walk.clamped(now, at, end) for end in ends(at)),
        )
    ]


def ends(at: time) -> list[time]:
    """Windows that begin at ``at``: of no length, so always open, of half an hour, of eight, and of nearly a day."""
    start = datetime.combine(date(2026, 1, 1), at)
    return [(start + length).time() for length in (0 * HOUR, HOUR / 2, 8 * HOUR, 23 * HOUR + 59 * MINUTE)]


@pytest.mark.timeout(3600 if FULL else 120)
def test_every_jump_of_every_zone_agrees_with_a_walk_minute_by_minute():
    zones: dict[Jump, list[ZoneInfo]] = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        for jump in jumps(zone):
            zones.setdefault(jump, []).append(zone)
    assert len(ZONES) > 400
    assert sum(map(len, zones.values())) > 1000
    for jump, there in zones.items():
        walk = Walk(there[0], jump[0])
        nows, ats = around(jump)
        for now in nows:
            expected = answers_of_walk(walk, now, ats)
            for zone in there:
                assert answers_of_rules(zone, now, ats) == expected, (zone, now, ats)


Moments = st.integers(0, 65 * 365 * 24 * 3600).map(
    lambda second: datetime(1975, 1, 1, tzinfo=UTC) + second * MINUTE / 60
)
Times = st.times().map(lambda one: one.replace(second=0, microsecond=0))
Zones = st.sampled_from(ZONES).map(ZoneInfo)
Windows = st.builds(Window, Times, Times)


@settings(max_examples=300, deadline=None)
@given(Moments, Zones, Times, Windows, st.integers(0, 6), st.integers(0, 400))
def test_what_is_found_is_ahead_and_in_the_window(now, zone, at, window, weekday, count):
    local = Local(now, zone, window)
    for found in (local.next_time(at), local.next_weekday(weekday, at), local.in_days(count, at)):
        assert found > now
        assert window.holds(found.astimezone(zone).time())


@settings(max_examples=300, deadline=None)
@given(Moments, Zones, Times, Windows, st.integers(0, 6))
def test_a_time_that_has_passed_is_now_at_the_earliest(now, zone, at, window, weekday):
    local = Local(now, zone, window, IfPast.NOW)
    for found in (local.next_time(at), local.next_weekday(weekday, at)):
        assert found >= now
        assert window.holds(found.astimezone(zone).time())


@settings(max_examples=300, deadline=None)
@given(Moments, Zones, Times)
def test_clocks_show_the_time_that_was_asked_for_unless_they_skip_it(now, zone, at):
    day = now.astimezone(zone).date()
    found = instant(day, at, zone)
    wall = found.astimezone(zone).replace(tzinfo=None)
    jumped = offset(zone, found + DAY) - offset(zone, found - DAY)
    assert wall in {datetime.combine(day, at), datetime.combine(day, at) + jumped}


@settings(max_examples=300, deadline=None)
@given(Moments, Zones, Windows)
def test_a_moment_that_was_moved_into_a_window_stays(now, zone, window):
    once = clamp(now, window, zone)
    assert once - now < 2 * DAY
    assert clamp(once, window, zone) == once
