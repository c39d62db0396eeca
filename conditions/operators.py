"""The property operators: one entry each says what it is called, which values it takes and what it means."""

import json
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from conditions.tree import quoted


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    ``meaning`` compares the stored value (None when absent) with the expected one. ``sql`` says the same of the stored
    value as jsonb and as text, both SQL expressions which are null when it is absent, and is never null itself.
    """

    name: str
    words: str
    takes: str
    accepts: Callable[[object], bool]
    meaning: Callable[[Any, Any], bool]
    sql: Callable[[str, str, Any], str]


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether ``value`` is a JSON number; true and false are not."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


def canonical_number(value: Any) -> Any:
    """Return a whole number as an integer, for 1.0 is 1; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | bool) or is_number(value)


def _is_nothing(value: object) -> bool:
    return value is None


def same(actual: object, expected: object) -> bool:
    """Compare as JSON does: no coercion, 1 equals 1.0, true is not 1, objects and arrays equal nothing."""
    if is_number(actual) and is_number(expected):
        return actual == expected
    return type(actual) is type(expected) and isinstance(actual, str | bool) and actual == expected


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, expected: is_number(actual) and is_number(expected) and compare(actual, expected)


def _ordered_sql(sign: str) -> Callable[[str, str, Any], str]:
    # jsonb compares numbers without a cast, so no order in which the planner looks can fail.
    return lambda stored, _, expected: (
        f"coalesce(jsonb_typeof({stored}) = 'number' and {stored} {sign} {_json(expected)}, false)"
    )


def _json(value: object) -> str:
    return f"{quoted(json.dumps(value, ensure_ascii=False))}::jsonb"


_SCALAR = ("a text, a number, true or false", _is_scalar)
_NUMBER = ("a number", is_number)
_TEXT = ("a text", _is_text)
_NOTHING = ("no value", _is_nothing)

OPERATORS: Final[Mapping[str, Operator]] = {
    one.name: one
    for one in (
        Operator("eq", "is", *_SCALAR, same, lambda p, _, v: f"coalesce({p} = {_json(v)}, false)"),
        Operator(
            "neq",
            "is not",
            *_SCALAR,
            lambda actual, expected: not same(actual, expected),
            lambda p, _, v: f"{p} is distinct from {_json(v)}",
        ),
        Operator("gt", "is more than", *_NUMBER, _ordered(operator.gt), _ordered_sql(">")),
        Operator("gte", "is at least", *_NUMBER, _ordered(operator.ge), _ordered_sql(">=")),
        Operator("lt", "is less than", *_NUMBER, _ordered(operator.lt), _ordered_sql("<")),
        Operator("lte", "is at most", *_NUMBER, _ordered(operator.le), _ordered_sql("<=")),
        Operator(
            "exists",
            "is known",
            *_NOTHING,
            lambda actual, _: actual is not None,
            lambda p, *_: f"coalesce(jsonb_typeof({p}) <> 'null', false)",
        ),
        Operator(
            "not_exists",
            "is not known",
            *_NOTHING,
            lambda actual, _: actual is None,
            lambda p, *_: f"coalesce(jsonb_typeof({p}) = 'null', true)",
        ),
        Operator(
            "contains",
            "contains",
            *_TEXT,
            lambda actual, expected: isinstance(actual, str) and expected in actual,
            lambda p, text, v: f"coalesce(jsonb_typeof({p}) = 'string' and strpos({text}, {quoted(v)}) > 0, false)",
        ),
    )
}
