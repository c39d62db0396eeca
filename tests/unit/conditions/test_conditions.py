import pytest

from conditions.evaluate import holds
from conditions.operators import OPERATORS
from conditions.property import PropertyCondition, prop
from conditions.reading import property_conditions as conditions
from conditions.tree import ConditionError

ABSENT = object()
BIG = 10**400


def judge(condition: PropertyCondition, actual: object) -> bool:
    return holds([condition], {} if actual is ABSENT else {"p": actual})


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1.5, 1.5, True),
        (BIG, BIG, True),
        (1, "1", False),
        ("1", 1, False),
        (1, True, False),
        (True, 1, False),
        (True, 1.0, False),
        (0, False, False),
        (True, True, True),
        (True, False, False),
        ("a", "a", True),
        ("a", "A", False),
        ("a", ABSENT, False),
        ("a", None, False),
        ("a", ["a"], False),
        ("a", {"a": "a"}, False),
    ],
)
def test_eq_compares_without_coercion_and_neq_is_its_exact_negation(expected, actual, equal):
    assert judge(prop("p").eq(expected), actual) is equal
    assert judge(prop("p").neq(expected), actual) is not equal


@pytest.mark.parametrize(
    ("actual", "answers"),
    [
        (4, (False, False, True, True)),
        (5, (False, True, False, True)),
        (5.0, (False, True, False, True)),
        (6, (True, True, False, False)),
        (BIG, (True, True, False, False)),
        ("6", (False,) * 4),
        (True, (False,) * 4),
        (None, (False,) * 4),
        (ABSENT, (False,) * 4),
        ([6], (False,) * 4),
    ],
)
def test_order_is_for_numbers_only(actual, answers):
    asked = (prop("p").gt(5), prop("p").gte(5), prop("p").lt(5), prop("p").lte(5))

    assert tuple(judge(condition, actual) for condition in asked) == answers


@pytest.mark.parametrize(
    ("actual", "there"), [(0, True), ("", True), (False, True), ([], True), (None, False), (ABSENT, False)]
)
def test_what_is_null_does_not_exist(actual, there):
    assert judge(prop("p").exists(), actual) is there
    assert judge(prop("p").not_exists(), actual) is not there


@pytest.mark.parametrize(
    ("part", "actual", "found"),
    [
        ("b", "abc", True),
        ("", "abc", True),
        ("B", "abc", False),
        ("1", 123, False),
        ("a", ["a"], False),
        ("a", None, False),
        ("a", ABSENT, False),
    ],
)
def test_contains_looks_into_texts_only(part, actual, found):
    assert judge(prop("p").contains(part), actual) is found


def test_all_conditions_must_hold_and_none_is_true():
    both = [prop("plan").eq("trial"), prop("seats").gt(1)]

    assert holds(both, {"plan": "trial", "seats": 2})
    assert not holds(both, {"plan": "trial", "seats": 1})
    assert holds([], {})


def test_a_name_with_a_dot_is_a_name_and_not_a_path():
    assert holds([prop("a.b").eq(1)], {"a.b": 1})
    assert not holds([prop("a.b").eq(1)], {"a": {"b": 1}})


@pytest.mark.parametrize("operator", OPERATORS)
def test_built_and_plain_form_are_the_same_and_the_plain_form_has_no_extra_fields(operator):
    arguments = {"contains": ("x",), "exists": (), "not_exists": ()}.get(operator, (5,))
    built = getattr(prop("p"), operator)(*arguments)

    assert conditions(built.as_data()) == (built,)
    assert ("value" in built.as_data()) is bool(arguments)


def test_one_condition_counts_as_a_list_of_one():
    assert conditions(prop("p").eq(1)) == conditions([prop("p").eq(1)])
    assert conditions([]) == ()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"type": "property", "property": "p", "operator": "equals", "value": 1}, "There is no operator 'equals'"),
        ({"type": "property", "property": "p", "operator": "contain", "value": "x"}, "Did you mean 'contains'?"),
        ({"type": "property", "property": " ", "operator": "eq", "value": 1}, "needs the name of a property"),
        ({"type": "property", "property": "p", "operator": "eq"}, "Ask for absence with not_exists."),
        ({"type": "property", "property": "p", "operator": "gt", "value": "5"}, "takes a number, not '5'"),
        ({"type": "property", "property": "p", "operator": "lte", "value": True}, "takes a number, not True"),
        ({"type": "property", "property": "p", "operator": "gt", "value": float("nan")}, "takes a number, not nan"),
        ({"type": "property", "property": "p", "operator": "eq", "value": float("inf")}, "not inf"),
        ({"type": "property", "property": "p", "operator": "contains", "value": 5}, "takes a text, not 5"),
        ({"type": "property", "property": "p", "operator": "exists", "value": 5}, "takes no value, not 5"),
        (
            {"type": "property", "property": "p", "operator": "eq", "value": [1]},
            "takes a text, a number, true or false",
        ),
        ({"type": "property", "name": "p", "operator": "eq", "value": 1}, "has no field 'name'"),
        ({"property": "p", "operator": "eq", "value": 1}, "There is no condition of type None"),
        ({"type": "event", "eventName": "x"}, "There is no condition of type 'event'"),
        ("plan=trial", "is not a condition; write one like prop('plan').eq('trial')"),
        (5, "is not a condition"),
        ([5], "is not a condition"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_with_a_sentence(data, sentence):
    with pytest.raises(ConditionError) as refused:
        conditions(data)

    assert sentence in str(refused.value)
