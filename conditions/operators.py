"""The property operators: one entry each says what it is called, which values it takes and what it means."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. ``meaning`` compares the stored value (None when absent) with the expected one."""

    name: str
    takes: str
    accepts: Callable[[object], bool]
    meaning: Callable[[Any, Any], bool]


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether ``value`` is a JSON number; true and false are not."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


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


_SCALAR = ("a text, a number, true or false", _is_scalar)
_NUMBER = ("a number", is_number)
_TEXT = ("a text", _is_text)
_NOTHING = ("no value", _is_nothing)

OPERATORS: Final[Mapping[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("eq", *_SCALAR, same),
        Operator("neq", *_SCALAR, lambda actual, expected: not same(actual, expected)),
        Operator("gt", *_NUMBER, _ordered(lambda actual, expected: actual > expected)),
        Operator("gte", *_NUMBER, _ordered(lambda actual, expected: actual >= expected)),
        Operator("lt", *_NUMBER, _ordered(lambda actual, expected: actual < expected)),
        Operator("lte", *_NUMBER, _ordered(lambda actual, expected: actual <= expected)),
        Operator("exists", *_NOTHING, lambda actual, _: actual is not None),
        Operator("not_exists", *_NOTHING, lambda actual, _: actual is None),
        Operator("contains", *_TEXT, lambda actual, expected: isinstance(actual, str) and expected in actual),
    )
}
