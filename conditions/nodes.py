"""Conditions as frozen values: what an adopter writes, checked where it is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from conditions.operators import OPERATORS

Scalar = str | int | float | bool


class ConditionError(ValueError):
    """A condition that could never mean anything; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class PropertyCondition:
    """A property, an operator and, for most operators, a value."""

    property: str
    operator: str
    value: Scalar | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.property, str) or not self.property.strip():
            raise ConditionError(f"A condition needs the name of a property; it got {self.property!r}.")
        operator = OPERATORS.get(self.operator)
        if operator is None:
            near = get_close_matches(str(self.operator), OPERATORS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(OPERATORS)}."
            raise ConditionError(f"There is no operator {self.operator!r} (property {self.property!r}). {hint}")
        if not operator.accepts(self.value):
            hint = " Ask for absence with not_exists." if self.value is None else ""
            raise ConditionError(
                f"{self.operator!r} on the property {self.property!r} takes {operator.takes}, not {self.value!r}.{hint}"
            )

    def holds(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the condition is true of ``properties``; a name is a literal top-level key, never a path."""
        return OPERATORS[self.operator].meaning(properties.get(self.property), self.value)

    def as_data(self) -> dict[str, Any]:
        """Return the plain form, with ``value`` only where the operator takes one."""
        data: dict[str, Any] = {"type": "property", "property": self.property, "operator": self.operator}
        return data if self.value is None else {**data, "value": self.value}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "PropertyCondition":
        """Read the plain form. Raises ConditionError."""
        unknown = sorted(set(data) - {"type", "property", "operator", "value"})
        if unknown:
            raise ConditionError(
                f"A property condition has no field {unknown[0]!r}; it has property, operator and value."
            )
        return cls(data.get("property", ""), data.get("operator", ""), data.get("value"))


Condition = PropertyCondition
Where = Condition | Mapping[str, Any] | Iterable[Condition | Mapping[str, Any]]

_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Condition]]] = {"property": PropertyCondition.from_data}


def conditions(where: Where) -> tuple[Condition, ...]:
    """Return ``where`` (one condition or several, built or in plain form) as a tuple. Raises ConditionError."""
    items: object = (where,) if isinstance(where, PropertyCondition | Mapping | str) else where
    if not isinstance(items, Iterable):
        raise ConditionError(f"{where!r} is not a condition; write one like prop('plan').eq('trial').")
    return tuple(_condition(item) for item in items)


def _condition(item: object) -> Condition:
    if isinstance(item, PropertyCondition):
        return item
    if not isinstance(item, Mapping):
        raise ConditionError(f"{item!r} is not a condition; write one like prop('plan').eq('trial').")
    reader = _READERS.get(str(item.get("type")))
    if reader is None:
        raise ConditionError(
            f"There is no condition of type {item.get('type')!r}; here it can be: {', '.join(_READERS)}."
        )
    return reader(item)


@dataclass(frozen=True, slots=True)
class PropertyBuilder:
    """A property waiting for its operator; made by ``prop``."""

    name: str

    def eq(self, value: Scalar) -> PropertyCondition:
        """True if the property is exactly ``value`` (``"1"`` is not ``1``)."""
        return PropertyCondition(self.name, "eq", value)

    def neq(self, value: Scalar) -> PropertyCondition:
        """True if the property is anything else than ``value``, also if it is missing."""
        return PropertyCondition(self.name, "neq", value)

    def gt(self, value: float) -> PropertyCondition:
        """True if the property is a number greater than ``value``."""
        return PropertyCondition(self.name, "gt", value)

    def gte(self, value: float) -> PropertyCondition:
        """True if the property is a number of at least ``value``."""
        return PropertyCondition(self.name, "gte", value)

    def lt(self, value: float) -> PropertyCondition:
        """True if the property is a number less than ``value``."""
        return PropertyCondition(self.name, "lt", value)

    def lte(self, value: float) -> PropertyCondition:
        """True if the property is a number of at most ``value``."""
        return PropertyCondition(self.name, "lte", value)

    def contains(self, value: str) -> PropertyCondition:
        """True if the property is a text with ``value`` in it, in the same case."""
        return PropertyCondition(self.name, "contains", value)

    def exists(self) -> PropertyCondition:
        """True if the property is there and not null."""
        return PropertyCondition(self.name, "exists")

    def not_exists(self) -> PropertyCondition:
        """True if the property is missing or null."""
        return PropertyCondition(self.name, "not_exists")


def prop(name: str) -> PropertyBuilder:
    """Begin a condition on the property ``name``.

    Example:
        >>> prop("plan").eq("trial").as_data()
        {'type': 'property', 'property': 'plan', 'operator': 'eq', 'value': 'trial'}
    """
    return PropertyBuilder(name)
