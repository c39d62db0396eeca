from datetime import UTC, datetime, timedelta

import pytest

from hogsend.lib.duration import days, hours, minutes, seconds
from journeys.rules import (
    Enrol,
    EntryFacts,
    EntryLimit,
    Skip,
    SkipReason,
    duration_label,
    may_enrol,
    retry_after,
    scalars,
    to_json,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPEN = {
    "enabled": True,
    "disabled_by_admin": False,
    "conditions_met": True,
    "entry_limit": EntryLimit.ONCE,
    "entry_period": None,
    "entries": 0,
    "last_entered_at": None,
    "unsubscribed": False,
    "live": False,
    "now": NOW,
}


def facts(**changed):
    return EntryFacts(**{**OPEN, **changed})


def test_a_newcomer_enters_for_the_first_time():
    assert may_enrol(facts()) == Enrol(1)


def test_the_first_reason_that_applies_is_the_one_that_is_told():
    against = [
        ("enabled", False, SkipReason.DISABLED),
        ("disabled_by_admin", True, SkipReason.DISABLED_BY_ADMIN),
        ("conditions_met", False, SkipReason.CONDITIONS),
        ("entries", 1, SkipReason.ENTERED_ONCE),
        ("unsubscribed", True, SkipReason.UNSUBSCRIBED),
        ("live", True, SkipReason.ACTIVE),
    ]
    all_against = {name: value for name, value, _ in against}

    for name, _, reason in against:
        assert may_enrol(facts(**all_against)) == Skip(reason)
        all_against[name] = OPEN[name]

    assert may_enrol(facts(**all_against)) == Enrol(1)


@pytest.mark.parametrize(
    ("ago", "verdict"),
    [
        (days(3), Enrol(3)),
        (days(3) - timedelta(microseconds=1), Skip(SkipReason.PERIOD)),
        (timedelta(0), Skip(SkipReason.PERIOD)),
        (days(4), Enrol(3)),
    ],
)
def test_after_exactly_one_period_a_person_may_enter_again(ago, verdict):
    periodic = {"entry_limit": EntryLimit.ONCE_PER_PERIOD, "entry_period": days(3), "entries": 2}

    assert may_enrol(facts(**periodic, last_entered_at=NOW - ago)) == verdict


def test_an_unlimited_journey_counts_entries_and_refuses_none():
    assert may_enrol(facts(entry_limit=EntryLimit.UNLIMITED, entries=41, last_entered_at=NOW)) == Enrol(42)


def test_nested_values_do_not_travel_with_a_run():
    event = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None, "f": [1], "g": {"h": 1}}

    assert scalars(event) == {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None}


def test_retries_wait_twice_as_long_each_time_up_to_five_minutes():
    waits = [retry_after(attempts).total_seconds() for attempts in (0, 1, 2, 3, 9, 10, 1000)]

    assert waits == [1, 1, 2, 4, 256, 300, 300]


@pytest.mark.parametrize(
    ("duration", "label"),
    [
        (days(2), "2d"),
        (hours(48), "2d"),
        (hours(36), "1d12h"),
        (minutes(90), "1h30m"),
        (seconds(61.5), "1m1.5s"),
        (timedelta(0), "0s"),
        (days(400), "400d"),
    ],
)
def test_durations_are_named_as_people_write_them(duration, label):
    assert duration_label(duration) == label


@pytest.mark.parametrize("value", [None, 1, 1.5, "ä😀", [1, "a"], {"a": {"b": [None]}}, r"\u0000 written out"])
def test_json_goes_in_and_comes_out(value):
    import json

    assert json.loads(to_json(value, what="It")) == value


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        (object(), TypeError, "It is not JSON"),
        (NOW, TypeError, "It is not JSON"),
        (float("nan"), TypeError, "It is not JSON"),
        ("a\0b", ValueError, "NUL"),
        ({"a\0": 1}, ValueError, "NUL"),
        ("\ud800", ValueError, "surrogate"),
        ("x" * 65535, ValueError, "65,537 bytes"),
        ("ä" * 40000, ValueError, "80,002 bytes"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_a_sentence(value, error, sentence):
    with pytest.raises(error, match=sentence):
        to_json(value, what="It")
