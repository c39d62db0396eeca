"""Conditions on a property: of a contact, or of an event's payload."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

from conditions.operators import OPERATORS, canonical_number
from conditions.tree import ConditionError, Node, Person, quoted, storable

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class PropertyCondition(Node):
    """A property, an operator and, for most operators, a value. A name is a literal top-level key, never a path."""

    kind: ClassVar[str] = "property"

    property: str
    operator: str
    value: Scalar | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.property, str) or not self.property.strip():
            raise ConditionError(f"A condition needs the name of a property; it got {self.property!r}.")
        if not all(storable(text) for text in (self.property, self.value) if isinstance(text, str)):
            raise ConditionError(
                f"The condition on {self.property!r} holds text that no property can hold; correct it."
            )
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
        """Say whether the condition is true of ``properties``."""
        return OPERATORS[self.operator].meaning(properties.get(self.property), self.value)

    def is_true_of(self, person: Person) -> bool:
        """Say whether the condition is true of the person's properties."""
        return self.holds(person.properties)

    def sql(self, now: str) -> str:  # noqa: ARG002 - time changes no property
        """Compare the contact's property as the operator does in SQL."""
        key = quoted(self.property)
        return OPERATORS[self.operator].sql(f"c.properties -> {key}", f"c.properties ->> {key}", self.value)

    def in_words(self) -> str:
        """Say it in words."""
        words = OPERATORS[self.operator].words
        return f"{self.property} {words}" if self.value is None else f"{self.property} {words} {_said(self.value)}"

    def is_negative(self) -> bool:
        """Say whether it is true of somebody who lacks the property."""
        return self.operator in {"neq", "not_exists"}

    def canonical(self) -> dict[str, Any]:
        """Return the plain form; 1.0 is 1."""
        data = self.as_data()
        return {**data, "value": canonical_number(self.value)} if "value" in data else data

    def as_data(self) -> dict[str, Any]:
        """Return the plain form, with ``value`` only where the operator takes one."""
        data: dict[str, Any] = {"type": self.kind, "property": self.property, "operator": self.operator}
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


def _said(value: Scalar) -> str:
    return f"“{value}”" if isinstance(value, str) else str(value).lower()
