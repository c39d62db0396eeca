"""Times in words become moments, whatever the clocks do meanwhile."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from hogsend.lib.duration import days, hours
from hogsend.lib.localtime import IfPast, Local, Window, time_named, weekday_named
from journeys.when import When

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = "2026-03-08", "2026-11-01"  # when clocks in New York jump from 2 to 3, and from 2 back to 1


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def when(now: str, zone: ZoneInfo = NEW_YORK, **more: object) -> When:
    return When(zone, lambda: local(now, zone), **more)


def shown(moment: datetime, zone: ZoneInfo = NEW_YORK) -> str:
    """What clocks show, as the weekday, the time and the offset."""
    assert moment.tzinfo is UTC
    return moment.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %z")


# --- the builder and the pure rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "pure"),
    [
        (lambda w: w.next("tue").at("08:00"), lambda p: p.next_weekday(weekday_named("tue"), time(8))),
        (lambda w: w.next_local("09:15"), lambda p: p.next_time(time(9, 15))),
        (lambda w: w.tomorrow().at("07:00"), lambda p: p.in_days(1, time(7))),
        (lambda w: w.in_days(3).at("07:00"), lambda p: p.in_days(3, time(7))),
        (lambda w: w.in_(hours(30)).at("23:59"), lambda p: p.after(hours(30), time(23, 59))),
    ],
)
@pytest.mark.parametrize("hours_", [None, Window(time(9), time(17))])
@pytest.mark.parametrize("past", list(IfPast))
def test_what_the_builder_finds_is_what_the_rules_say(
    asked: Callable, pure: Callable, hours_: Window | None, past: IfPast
):
    now = local("2026-05-05T10:00", BERLIN)
    found = asked(When(BERLIN, lambda: now, hours_, past))
    assert found == pure(Local(now, BERLIN, hours_, past))


def test_another_zone_changes_what_is_found():
    at_home = when("2026-05-05T10:00").next_local("12:00")
    away = when("2026-05-05T10:00").tz("Asia/Tokyo").next_local("12:00")
    assert shown(at_home) == "Tue 2026-05-05 12:00 -0400"
    assert shown(away, ZoneInfo("Asia/Tokyo")) == "Wed 2026-05-06 12:00 +0900"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "+02:00", "America", "../etc/passwd", "localtime", None, 7])
def test_what_is_no_zone_is_refused_at_once(zone: object):
    with pytest.raises(TypeError, match="IANA name"):
        when("2026-05-05T10:00").tz(zone)  # type: ignore[arg-type]


def test_a_zone_may_be_written_in_any_capitals():
    assert when("2026-05-05T10:00").tz("europe/berlin").zone.key == "Europe/Berlin"


def test_the_window_of_the_builder_holds_and_a_window_of_its_own_takes_its_place():
    builder = when("2026-05-05T10:00", hours=Window(time(9), time(17)))
    assert shown(builder.tomorrow().at("07:00")) == "Wed 2026-05-06 09:00 -0400"
    assert shown(builder.window("06:00", "08:00").tomorrow().at("07:00")) == "Wed 2026-05-06 07:00 -0400"


def test_a_refinement_leaves_the_builder_as_it_was():
    builder = when("2026-05-05T10:00")
    builder.tz("Asia/Tokyo").window("09:00", "10:00").if_past("now")
    assert (builder.zone, builder.hours, builder.past) == (NEW_YORK, None, IfPast.NEXT)
    with pytest.raises(FrozenInstanceError):
        builder.zone = BERLIN  # type: ignore[misc]


def test_the_time_is_read_when_the_moment_is_asked_for():
    times = iter([local("2026-05-05T10:00"), local("2026-05-06T10:00")])
    day = When(NEW_YORK, lambda: next(times)).tomorrow()
    assert [shown(day.at("08:00")), shown(day.at("08:00"))] == [
        "Wed 2026-05-06 08:00 -0400",
        "Thu 2026-05-07 08:00 -0400",
    ]


# --- days -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "past", "found"),
    [
        ("2026-05-05T10:00", "next", "Tue 2026-05-05 12:00 -0400"),
        ("2026-05-05T12:01", "next", "Wed 2026-05-06 12:00 -0400"),
        ("2026-05-05T12:00", "next", "Wed 2026-05-06 12:00 -0400"),
        ("2026-05-05T12:01", "now", "Tue 2026-05-05 12:01 -0400"),
        ("2026-05-05T12:00", "now", "Tue 2026-05-05 12:00 -0400"),
        ("2026-05-05T10:00", "now", "Tue 2026-05-05 12:00 -0400"),
    ],
)
def test_the_next_such_time_is_today_if_it_is_ahead(now: str, past: str, found: str):
    assert shown(when(now).if_past(past).next_local("12:00")) == found


@pytest.mark.parametrize(
    ("now", "weekday", "found"),
    [
        ("2026-05-04T10:00", "tuesday", "Tue 2026-05-05 08:00 -0400"),
        ("2026-05-05T06:00", "tuesday", "Tue 2026-05-05 08:00 -0400"),
        ("2026-05-05T08:00", "tuesday", "Tue 2026-05-12 08:00 -0400"),
        ("2026-05-05T09:00", "tuesday", "Tue 2026-05-12 08:00 -0400"),
        ("2026-05-10T10:00", "monday", "Mon 2026-05-11 08:00 -0400"),
        ("2026-05-05T09:00", "monday", "Mon 2026-05-11 08:00 -0400"),
    ],
)
def test_the_next_weekday_is_today_if_the_time_is_ahead_and_else_within_seven_days(now: str, weekday: str, found: str):
    assert shown(when(now).next(weekday).at("08:00")) == found


def test_a_weekday_that_has_passed_may_be_now():
    assert shown(when("2026-05-05T09:00").if_past("now").next("tue").at("08:00")) == "Tue 2026-05-05 09:00 -0400"


@pytest.mark.parametrize("full", ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
def test_short_and_long_weekdays_are_the_same_in_any_capitals(full: str):
    builder = when("2026-05-05T10:00")
    found = {builder.next(name).at("08:00") for name in (full, full[:3], full.upper(), full[:3].title())}
    assert {shown(one)[:3].lower() for one in found} == {full[:3]}
    assert len(found) == 1


def test_tomorrow_is_the_next_day_of_the_calendar_with_its_own_offset():
    assert shown(when("2026-03-07T08:00").tomorrow().at("08:00")) == "Sun 2026-03-08 08:00 -0400"
    assert shown(when("2026-05-05T23:59").tomorrow().at("00:00")) == "Wed 2026-05-06 00:00 -0400"


def test_after_a_duration_the_day_counts_and_the_time_is_set():
    assert shown(when("2026-05-05T10:00").in_(days(2)).at("08:00")) == "Thu 2026-05-07 08:00 -0400"
    assert shown(when("2026-05-05T23:30").in_(hours(1)).at("08:00")) == "Wed 2026-05-06 08:00 -0400"


def test_a_duration_that_leads_to_a_time_of_today_that_has_passed_leads_to_tomorrow_or_now():
    builder = when("2026-05-05T10:00")
    assert shown(builder.in_(hours(1)).at("08:00")) == "Wed 2026-05-06 08:00 -0400"
    assert shown(builder.if_past("now").in_(hours(1)).at("08:00")) == "Tue 2026-05-05 10:00 -0400"


def test_a_day_of_25_hours_makes_a_difference_between_a_duration_and_a_day():
    builder = when(f"{AUTUMN}T00:10")
    assert shown(builder.in_(days(1)).at("08:00")) == "Sun 2026-11-01 08:00 -0500"
    assert shown(builder.in_days(1).at("08:00")) == "Mon 2026-11-02 08:00 -0500"


# --- where clocks jump ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "at", "found"),
    [
        (f"{SPRING}T00:00", "02:30", "Sun 2026-03-08 03:30 -0400"),
        (f"{SPRING}T00:00", "02:00", "Sun 2026-03-08 03:00 -0400"),
        (f"{SPRING}T05:00", "02:30", "Mon 2026-03-09 02:30 -0400"),
        (f"{AUTUMN}T00:00", "01:30", "Sun 2026-11-01 01:30 -0400"),
        (f"{AUTUMN}T05:00", "01:30", "Mon 2026-11-02 01:30 -0500"),
    ],
)
def test_a_time_that_is_skipped_moves_by_the_jump_and_of_two_the_first_counts(now: str, at: str, found: str):
    assert shown(when(now).next_local(at)) == found


def test_a_weekday_rolls_by_its_date_and_takes_the_time_anew():
    assert shown(when(f"{SPRING}T05:00").next("sun").at("02:30")) == "Sun 2026-03-15 02:30 -0400"


def test_a_day_that_a_zone_skipped_is_the_one_after_it():
    apia = ZoneInfo("Pacific/Apia")
    builder = when("2011-12-29T23:00", apia)
    assert shown(builder.tomorrow().at("08:00"), apia) == "Sat 2011-12-31 08:00 +1400"


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "hours_", "found"),
    [
        ("12:00", ("09:00", "17:00"), "Wed 2026-05-06 12:00 -0400"),
        ("07:00", ("09:00", "17:00"), "Wed 2026-05-06 09:00 -0400"),
        ("18:00", ("09:00", "17:00"), "Thu 2026-05-07 09:00 -0400"),
        ("17:00", ("09:00", "17:00"), "Thu 2026-05-07 09:00 -0400"),
        ("16:59", ("09:00", "17:00"), "Wed 2026-05-06 16:59 -0400"),
        ("09:00", ("09:00", "17:00"), "Wed 2026-05-06 09:00 -0400"),
        ("03:00", ("09:00", "09:00"), "Wed 2026-05-06 03:00 -0400"),
        ("23:00", ("22:00", "06:00"), "Wed 2026-05-06 23:00 -0400"),
        ("03:00", ("22:00", "06:00"), "Wed 2026-05-06 03:00 -0400"),
        ("06:00", ("22:00", "06:00"), "Wed 2026-05-06 22:00 -0400"),
        ("12:00", ("22:00", "06:00"), "Wed 2026-05-06 22:00 -0400"),
        ("23:30", ("09:00", "00:00"), "Wed 2026-05-06 23:30 -0400"),
        ("00:00", ("09:00", "00:00"), "Wed 2026-05-06 09:00 -0400"),
    ],
)
def test_a_window_keeps_what_is_inside_and_moves_the_rest_to_its_start(at: str, hours_: tuple[str, str], found: str):
    assert shown(when("2026-05-05T10:00").window(*hours_).tomorrow().at(at)) == found


def test_the_window_comes_last_so_that_now_can_be_moved_too():
    builder = when("2026-05-05T20:00").window("09:00", "17:00").if_past("now")
    assert shown(builder.next_local("12:00")) == "Wed 2026-05-06 09:00 -0400"


@pytest.mark.parametrize(
    ("now", "hours_", "found"),
    [
        (f"{SPRING}T00:00", ("02:30", "06:00"), "Sun 2026-03-08 03:30 -0400"),
        (f"{SPRING}T00:00", ("02:15", "02:45"), "Mon 2026-03-09 02:15 -0400"),
        (f"{AUTUMN}T00:00", ("01:30", "06:00"), "Sun 2026-11-01 01:30 -0400"),
    ],
)
def test_a_window_opens_where_clocks_jump(now: str, hours_: tuple[str, str], found: str):
    assert shown(when(now).window(*hours_).if_past("now").next_local("00:00")) == found


def test_between_two_times_of_the_same_name_a_window_opens_again_and_never_in_the_past():
    second = local(f"{AUTUMN}T01:10").replace(fold=1)
    builder = When(NEW_YORK, lambda: second).window("01:30", "06:00").if_past("now")
    assert shown(builder.next_local("00:00")) == "Sun 2026-11-01 01:30 -0500"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at", ["24:00", "12:60", "8h", "", "8", "8:5", "-1:00", "08:00:00", "\u0660\u0668:\u0660\u0660", None, 8]
)
def test_what_is_no_time_is_refused(at: object):
    builder = when("2026-05-05T10:00")
    for ask in (builder.next_local, builder.tomorrow().at, lambda text: builder.window(text, "10:00")):
        with pytest.raises(TypeError, match="no time of day"):
            ask(at)


@pytest.mark.parametrize(("text", "at"), [("8:05", time(8, 5)), (" 08:05 ", time(8, 5)), ("23:59", time(23, 59))])
def test_a_time_has_one_or_two_digits_of_hours_and_may_stand_in_spaces(text: str, at: time):
    assert time_named(text) == at


@pytest.mark.parametrize(
    "ask",
    [
        lambda w: w.next("someday"),
        lambda w: w.next(None),
        lambda w: w.if_past("later"),
        lambda w: w.if_past([]),
        lambda w: w.in_(3600),
        lambda w: w.in_days(1.5),
        lambda w: w.in_days(count=True),
    ],
)
def test_what_makes_no_sense_is_a_type_error(ask: Callable[[When], object]):
    with pytest.raises(TypeError):
        ask(when("2026-05-05T10:00"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda w: w.in_(timedelta(seconds=-1)),
        lambda w: w.in_days(-1),
        lambda w: w.in_days(10**7).at("08:00"),
        lambda w: w.in_(timedelta.max).at("08:00"),
    ],
)
def test_nothing_goes_back_and_nothing_beyond_the_calendar(ask: Callable[[When], object]):
    with pytest.raises(ValueError, match=r"back|9999"):
        ask(when("2026-05-05T10:00"))
