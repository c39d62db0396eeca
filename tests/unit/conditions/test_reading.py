from datetime import UTC, datetime, timedelta

import pytest

from conditions.event import event
from conditions.property import prop
from conditions.reading import fingerprint, property_conditions, read
from conditions.tree import Composite, ConditionError, Person, all_of, any_of, events_of

TRIAL = prop("plan").eq("trial")
QUIET = event("app.active").within(timedelta(days=7)).never()


def test_a_tree_is_the_same_built_with_functions_with_signs_or_from_its_plain_form():
    built = all_of(TRIAL, any_of(QUIET, prop("age").gt(3)))
    assert TRIAL & (QUIET | prop("age").gt(3)) == built
    assert read(built.as_data()) == built
    assert built.as_data() == {
        "type": "composite",
        "operator": "and",
        "conditions": [
            TRIAL.as_data(),
            {"type": "composite", "operator": "or", "conditions": [QUIET.as_data(), prop("age").gt(3).as_data()]},
        ],
    }


@pytest.mark.parametrize(
    ("plain", "hint"),
    [
        ("plan is trial", "is not a condition"),
        ({"type": "weather"}, "property, event"),
        ({"type": "composite", "operator": "and", "conditions": []}, "everybody or nobody"),
        ({"type": "composite", "operator": "xor", "conditions": [TRIAL.as_data()]}, "'and' or 'or'"),
        ({"type": "composite", "operator": "and"}, "a list of conditions"),
        ({"type": "composite", "operator": "and", "conditions": [{"type": "event"}]}, "name of an event"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_to_write(plain, hint):
    with pytest.raises(ConditionError, match=hint):
        read(plain)


def test_conditions_nest_only_so_deep():
    plain: dict[str, object] = TRIAL.as_data()
    for _ in range(30):
        plain = {"type": "composite", "operator": "or", "conditions": [plain]}
    with pytest.raises(ConditionError, match="nest deeper"):
        read(plain)
    deep = TRIAL
    for _ in range(19):
        deep = Composite("and", (deep,))
    with pytest.raises(ConditionError, match="nest deeper"):
        Composite("and", (deep,))


def test_a_payload_has_properties_only_and_all_must_be_true():
    assert property_conditions(TRIAL & prop("age").gt(3)) == (TRIAL, prop("age").gt(3))
    with pytest.raises(ConditionError, match="type 'event' here"):
        property_conditions(QUIET)
    with pytest.raises(ConditionError, match="all to be true"):
        property_conditions(TRIAL | prop("age").gt(3))


def test_a_fingerprint_changes_with_the_meaning_and_not_with_the_spelling():
    def within(**data: float) -> str:
        return fingerprint(read({"type": "event", "eventName": "e", "check": "exists", "within": data}))

    assert within(hours=1) == within(minutes=60) == within(seconds=3600)
    assert within(hours=1) != within(hours=2)
    assert fingerprint(prop("n").eq(1)) == fingerprint(prop("n").eq(1.0)) != fingerprint(prop("n").eq("1"))
    assert fingerprint(TRIAL & QUIET) != fingerprint(TRIAL | QUIET)


def test_a_tree_is_judged_and_told_as_a_whole():
    vip = True
    tree = (TRIAL & QUIET) | prop("vip").eq(vip)
    assert tree.in_words() == "(plan is “trial” and did not do app.active in the last 7 days) or vip is true"
    assert events_of(tree) == {"app.active"}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert tree.is_true_of(Person(now, {"plan": "trial"}))
    assert not tree.is_true_of(Person(now, {"plan": "trial"}, [("app.active", now)]))
    assert tree.is_true_of(Person(now, {"vip": True}, [("app.active", now)]))
