from datetime import UTC, datetime, timedelta

import pytest

from conditions.event import EventCondition, event
from conditions.tree import ConditionError, Person

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
IN_DATA = {"hours": 168}


@pytest.mark.parametrize(
    ("built", "data"),
    [
        (event("e").exists(), {"check": "exists"}),
        (event("e").not_exists(), {"check": "not_exists"}),
        (event("e").within(WEEK).never(), {"check": "not_exists", "within": IN_DATA}),
        (event("e").count("gt", 2), {"check": "count", "operator": "gt", "value": 2}),
        (event("e").at_least(2), {"check": "count", "operator": "gte", "value": 2}),
        (event("e").more_than(2), {"check": "count", "operator": "gt", "value": 2}),
        (event("e").at_most(2), {"check": "count", "operator": "lte", "value": 2}),
        (event("e").less_than(2), {"check": "count", "operator": "lt", "value": 2}),
        (event("e").exactly(2), {"check": "count", "operator": "eq", "value": 2}),
        (
            event("e").within(timedelta(days=1)).within(WEEK).at_least(10),
            {"check": "count", "operator": "gte", "value": 10, "within": IN_DATA},
        ),
    ],
)
def test_what_is_built_is_what_would_be_written_by_hand(built, data):
    assert built.as_data() == {"type": "event", "eventName": "e", **data}
    assert EventCondition.from_data(built.as_data()) == built


@pytest.mark.parametrize(
    ("condition", "answers"),
    [
        # of nobody's, one, two and three events
        (event("e").exists(), (False, True, True, True)),
        (event("e").never(), (True, False, False, False)),
        (event("e").more_than(1), (False, False, True, True)),
        (event("e").at_least(1.5), (False, False, True, True)),
        (event("e").less_than(1.5), (True, True, False, False)),
        (event("e").at_most(1), (True, True, False, False)),
        (event("e").exactly(2), (False, False, True, False)),
        (event("e").exactly(1.5), (False,) * 4),
        (event("e").exactly(0), (True, False, False, False)),
        (event("e").exactly(-1), (False,) * 4),
        (event("e").at_least(0), (True,) * 4),
        (event("e").less_than(0), (False,) * 4),
    ],
)
def test_a_check_counts_whole_events(condition, answers):
    people = [Person(NOW, events=[("e", NOW)] * count + [("other", NOW)] * 5) for count in range(4)]
    assert tuple(condition.is_true_of(person) for person in people) == answers


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (timedelta(0), True),
        (WEEK, True),
        (WEEK + timedelta(microseconds=1), False),
        (timedelta(days=-30), True),
    ],
)
def test_a_window_begins_with_its_edge_and_has_no_end(age, counts):
    person = Person(NOW, events=[("e", NOW - age)])
    assert event("e").within(WEEK).exists().is_true_of(person) is counts


@pytest.mark.parametrize(
    ("write", "hint"),
    [
        (lambda: event(" ").exists(), "name of an event"),
        (lambda: event("a\0b").exists(), "name of an event"),
        (lambda: event("e").within(timedelta(0)).exists(), "positive"),
        (lambda: event("e").within(timedelta(days=-1)).exists(), "positive"),
        (lambda: event("e").count("around", 3), "operator"),
        (lambda: event("e").count("gte", True), "number"),
        (lambda: event("e").at_least(float("nan")), "number"),
        (lambda: event("e").at_least(10**9), "at most"),
        (lambda: EventCondition("e", "count"), "operator"),
        (lambda: EventCondition("e", "exists", value=3), "takes no operator"),
        (lambda: EventCondition("e", "sometimes"), "exists, not_exists, count"),
        (lambda: EventCondition.from_data({"eventName": "e", "check": "exists", "where": {}}), "no field 'where'"),
        (lambda: EventCondition.from_data({"eventName": "e", "check": "exists", "within": {}}), "no duration"),
        (lambda: EventCondition.from_data({"eventName": "e", "check": "exists", "within": {"days": 7}}), "no duration"),
    ],
)
def test_what_could_never_mean_anything_is_refused_where_it_is_written(write, hint):
    with pytest.raises(ConditionError, match=hint):
        write()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (event("order.completed").exists(), "did order.completed"),
        (event("app.active").within(WEEK).never(), "did not do app.active in the last 7 days"),
        (event("e").within(timedelta(hours=1)).at_least(3), "did e at least 3 times in the last 1 hour"),
        (event("e").within(timedelta(seconds=90)).exactly(1.5), "did e exactly 1.5 times in the last 90 seconds"),
    ],
)
def test_a_condition_is_said_in_words(condition, words):
    assert condition.in_words() == words


def test_only_what_never_happened_at_all_is_true_of_somebody_unknown():
    assert event("e").never().is_negative()
    assert not event("e").within(WEEK).never().is_negative()
    assert not event("e").less_than(3).is_negative()
