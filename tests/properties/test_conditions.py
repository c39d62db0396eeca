"""A condition means in the database what it means in Python."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conditions.event import CHECKS, LEAST, EventCondition
from conditions.operators import OPERATORS
from conditions.property import PropertyCondition
from conditions.tree import Composite, Node, Person
from events.actions import emit_events
from events.definitions import NewEvent
from tests.people import ada

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TRUE_OF = "select {}, ({}) is null from (select %s::uuid as id, %s::jsonb as properties) c"

Text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["", "a", "A", "pro", "it's", "a\\b", "50%", "%s", '"']
)
Number = st.integers(-3, 3) | st.sampled_from([0.5, -0.0, 1.0, 1e20, 2.5])
Stored = st.recursive(
    st.none() | st.booleans() | Number | Text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(Text, inner, max_size=2),
    max_leaves=4,
)
VALUES = {"no value": st.none(), "a number": Number, "a text": Text}
NAMES = ["p", "q", "a.b", "it's", "50%"]
Properties = st.dictionaries(st.sampled_from(NAMES), Stored, max_size=4)


@st.composite
def property_conditions(draw) -> PropertyCondition:
    operator = OPERATORS[draw(st.sampled_from(list(OPERATORS)))]
    value = draw(VALUES.get(operator.takes, st.booleans() | Number | Text))
    return PropertyCondition(draw(st.sampled_from(NAMES)), operator.name, value)


@st.composite
def event_conditions(draw) -> EventCondition:
    check, window = draw(st.sampled_from(CHECKS)), draw(st.none() | st.integers(1, 4).map(lambda n: timedelta(days=n)))
    if check != "count":
        return EventCondition(draw(st.sampled_from(["x", "y"])), check, window=window)
    number = draw(st.integers(-1, 4) | st.sampled_from([0.5, 1.5, 2.0]))
    return EventCondition(
        draw(st.sampled_from(["x", "y"])), "count", draw(st.sampled_from(list(LEAST))), number, window
    )


def trees(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda operator, parts: Composite(operator, tuple(parts)),
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=5,
    )


def in_the_database(condition: Node, contact_id: object, properties: object) -> tuple[bool, bool]:
    sql = condition.sql(f"timestamptz '{NOW.isoformat()}'").replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(TRUE_OF.format(sql, sql), [contact_id, msgspec.json.encode(properties).decode()])
        return cursor.fetchone()


@SETTINGS
@given(condition=trees(property_conditions()), properties=Properties)
def test_conditions_on_properties(condition, properties):
    person = Person(NOW, msgspec.json.decode(msgspec.json.encode(properties)))
    told = in_the_database(condition, "00000000-0000-0000-0000-000000000000", properties)
    assert told == (condition.is_true_of(person), False)


@settings(SETTINGS, max_examples=100)
@given(
    condition=trees(event_conditions() | property_conditions()),
    properties=Properties,
    happened=st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(-24, 120)), max_size=6),
)
def test_conditions_on_events_and_properties(condition, properties, happened):
    """Events are given by how many hours ago they happened; some lie ahead, and some on the edge of a window."""
    contact = ada()
    connection.cursor().execute("delete from events_event")
    events = [(name, NOW - timedelta(hours=hours)) for name, hours in happened]
    emit_events([NewEvent(contact.pk, name, occurred_at=at) for name, at in events], now=NOW)

    person = Person(NOW, msgspec.json.decode(msgspec.json.encode(properties)), events)
    assert in_the_database(condition, contact.pk, properties) == (condition.is_true_of(person), False)
