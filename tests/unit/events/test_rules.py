from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.rules import check_name, fingerprint, moment_of, waves
from hogsend.lib.fields import InvalidFieldError, check_address

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["a", "user.created", "x" * 200, "bucketlist", "emailed", "journeys:x"])
def test_ordinary_names_are_taken(name):
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 201, "bucket:entered:x", "journey:done", "email.opened", "contact.deleted"]
)
def test_empty_long_and_reserved_names_are_refused_with_a_sentence(name):
    with pytest.raises(InvalidFieldError) as caught:
        check_name(name)
    assert caught.value.path == ["name"]
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "address", ["ada@example.com", "o'brien+tag@mail.example.co.uk", "a@xn--bcher-kva.example", "a@b.xn--p1ai"]
)
def test_addresses_that_can_be_mailed_are_taken(address):
    check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "@example.com",
        "a@b",
        ".a@example.com",
        "a..b@example.com",
        "a@-b.com",
        "a b@example.com",
        "a@example.c",
        "a@example.com\n",
        "x" * 320 + "@example.com",
    ],
)
def test_garbage_is_no_address(address):
    with pytest.raises(InvalidFieldError):
        check_address(address)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-01-31T14:00:00+02:00", NOW),
        ("2026-01-31T12:00Z", NOW),
        ("2026-01-31T12:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
        ("2026-02-01T12:00:00Z", NOW + timedelta(days=1)),
    ],
)
def test_times_with_any_offset_are_read(text, moment):
    assert moment_of(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "2026-02-01T12:00:01Z",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_other_times_are_refused(text):
    with pytest.raises(InvalidFieldError) as caught:
        moment_of(text, now=NOW)
    assert caught.value.path == ["timestamp"]


def test_a_fingerprint_does_not_depend_on_the_order_of_fields():
    assert fingerprint({"a": 1, "b": {"c": 1, "d": 2}}) == fingerprint({"b": {"d": 2, "c": 1}, "a": 1})


def test_a_fingerprint_has_16_bytes_and_depends_on_every_value():
    prints = {fingerprint({"a": value}) for value in (1, 2, "1", None, True, [1])}
    assert (len(prints), {len(one) for one in prints}) == (6, {16})


people = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["start", "stop", "view"])), max_size=30)


@given(people)
def test_no_wave_holds_two_telling_events_of_one_person(events):
    for wave in waves(events, {"start", "stop"}):
        told = [events[i][0] for i in wave if events[i][1] != "view"]
        assert len(told) == len(set(told))


@given(people)
def test_waves_hold_each_event_once_and_keep_the_order_of_each_person(events):
    order = [position for wave in waves(events, {"start", "stop"}) for position in wave]
    assert sorted(order) == list(range(len(events)))
    for person in range(4):
        mine = [position for position in order if events[position][0] == person]
        assert mine == sorted(mine)


def test_events_that_concern_nobody_by_name_are_one_wave():
    assert waves([("ada", "view")] * 5, frozenset()) == [[0, 1, 2, 3, 4]]
