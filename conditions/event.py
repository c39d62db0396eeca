"""Conditions on how often somebody did something, ever or within a window that ends now."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

from conditions.durations import duration_data, duration_of, in_words, interval, milliseconds
from conditions.operators import canonical_number, is_number
from conditions.tree import ConditionError, Node, Person, quoted, storable

T = TypeVar("T")

CHECKS: Final = ("exists", "not_exists", "count")
LONGEST: Final = timedelta(days=3660)
MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class EventCondition(Node):
    """An event, and whether or how often it happened; with ``within`` only the time from then to now counts.

    The window has no end, so what is dated in the future counts.
    """

    kind: ClassVar[str] = "event"

    name: str
    check: str
    operator: str | None = None
    value: float | None = None
    window: timedelta | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not storable(self.name):
            raise ConditionError(f"A condition needs the name of an event; it got {self.name!r}.")
        if self.check not in CHECKS:
            raise ConditionError(f"There is no check {self.check!r} of events; use one of: {', '.join(CHECKS)}.")
        if self.window is not None and not timedelta(milliseconds=1) <= self.window <= LONGEST:
            raise ConditionError(f"The window of {self.name!r} is {self.window}; write a positive one, like days(7).")
        counts = self.check == "count"
        if counts and (self.operator not in LEAST or not is_number(self.value) or abs(self.value) > MOST):
            raise ConditionError(
                f"A count of {self.name!r} needs an operator ({', '.join(LEAST)}) and a number of at most {MOST:,}."
            )
        if not counts and (self.operator is not None or self.value is not None):
            raise ConditionError(f"{self.check!r} of {self.name!r} takes no operator and no value; use check='count'.")

    def as_data(self) -> dict[str, Any]:
        """Return the plain form."""
        data: dict[str, Any] = {"type": self.kind, "eventName": self.name, "check": self.check}
        if self.check == "count":
            data |= {"operator": self.operator, "value": self.value}
        return data if self.window is None else {**data, "within": duration_data(self.window)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "EventCondition":
        """Read the plain form. Raises ConditionError."""
        if unknown := sorted(set(data) - {"type", "eventName", "check", "operator", "value", "within"}):
            raise ConditionError(f"An event condition has no field {unknown[0]!r}.")
        within = data.get("within")
        window = None if within is None else duration_of(within)
        return cls(data.get("eventName", ""), data.get("check", ""), data.get("operator"), data.get("value"), window)

    def canonical(self) -> dict[str, Any]:
        """Return the plain form, the window in milliseconds."""
        data = self.as_data()
        if "value" in data:
            data["value"] = canonical_number(self.value)
        return data if self.window is None else {**data, "within": milliseconds(self.window)}

    def is_true_of(self, person: Person) -> bool:
        """Count in memory."""
        since = None if self.window is None else person.now - self.window
        count = sum(1 for name, at in person.events if name == self.name and (since is None or at >= since))
        return _judged(self, lambda least: count >= least, lambda one, other: one and other, lambda one: not one)

    def sql(self, now: str) -> str:
        """Look for as many rows as decide, in the index of the contact's events."""
        window = "" if self.window is None else f" and e.occurred_at >= {now} - {interval(self.window)}"
        rows = f"select 1 from events_event e where e.contact_id = c.id and e.name = {quoted(self.name)}{window}"  # noqa: S608 - quoted
        return _judged(
            self,
            lambda least: _at_least(rows, least),
            lambda one, other: f"{one} and {other}",
            lambda one: f"not ({one})",
        )

    def in_words(self) -> str:
        """Say it in words."""
        window = "" if self.window is None else f" in the last {in_words(self.window)}"
        if self.check == "exists":
            return f"did {self.name}{window}"
        if self.check == "not_exists":
            return f"did not do {self.name}{window}"
        often = "once" if self.value == 1 else f"{self.value or 0:g} times"
        return f"did {self.name} {WORDS[self.operator or '']} {often}{window}"

    def is_negative(self) -> bool:
        """Say whether it is true of somebody who never did anything; a window also says that time has passed."""
        return self.check == "not_exists" and self.window is None

    def event_name(self) -> str | None:
        """Return the name of the event."""
        return self.name

    def sliding(self) -> timedelta | None:
        """Return the window."""
        return self.window


# What the operator asks in whole events: how many there must be at least, and with "lt" and "lte" must not be.
LEAST: Final[Mapping[str, Callable[[float], int]]] = {
    "gt": lambda value: math.floor(value) + 1,
    "gte": math.ceil,
    "lt": math.ceil,
    "lte": lambda value: math.floor(value) + 1,
    "eq": math.ceil,
}
WORDS: Final = {"gt": "more than", "gte": "at least", "lt": "less than", "lte": "at most", "eq": "exactly"}


def _judged(
    condition: EventCondition, at_least: Callable[[int], T], both: Callable[[T, T], T], no: Callable[[T], T]
) -> T:
    """Put the check together from "there are at least so many", in Python or in SQL."""
    if condition.check != "count":
        return at_least(1) if condition.check == "exists" else no(at_least(1))
    value, operator = condition.value or 0, condition.operator or ""
    least = LEAST[operator](value)
    if operator == "eq":
        return both(at_least(least), no(at_least(math.floor(value) + 1)))
    return no(at_least(least)) if operator in {"lt", "lte"} else at_least(least)


def _at_least(rows: str, least: int) -> str:
    if least <= 0:
        return "true"
    if least == 1:
        return f"exists({rows} offset 0)"
    return f"(select count(*) from ({rows} limit {least}) so_many) >= {least}"  # noqa: S608 - quoted above


@dataclass(frozen=True, slots=True)
class EventBuilder:
    """An event waiting for its check; made by ``event``."""

    name: str
    window: timedelta | None = None

    def within(self, window: timedelta) -> "EventBuilder":
        """Count only what happened in this time before now; the last one given counts."""
        return replace(self, window=window)

    def exists(self) -> EventCondition:
        """True if it happened."""
        return EventCondition(self.name, "exists", window=self.window)

    def not_exists(self) -> EventCondition:
        """True if it did not happen."""
        return EventCondition(self.name, "not_exists", window=self.window)

    def never(self) -> EventCondition:
        """True if it did not happen: ``not_exists`` in other words."""
        return self.not_exists()

    def count(self, operator: str, value: float) -> EventCondition:
        """True if the number of times compares like that (gt, gte, lt, lte, eq) to ``value``."""
        return EventCondition(self.name, "count", operator, value, self.window)

    def at_least(self, value: float) -> EventCondition:
        """True if it happened so often or more."""
        return self.count("gte", value)

    def more_than(self, value: float) -> EventCondition:
        """True if it happened more often."""
        return self.count("gt", value)

    def at_most(self, value: float) -> EventCondition:
        """True if it happened so often or less."""
        return self.count("lte", value)

    def less_than(self, value: float) -> EventCondition:
        """True if it happened less often."""
        return self.count("lt", value)

    def exactly(self, value: float) -> EventCondition:
        """True if it happened exactly so often."""
        return self.count("eq", value)


def event(name: str) -> EventBuilder:
    """Begin a condition on the event ``name``.

    Example:
        >>> event("app.active").within(timedelta(days=7)).never().as_data()
        {'type': 'event', 'eventName': 'app.active', 'check': 'not_exists', 'within': {'hours': 168}}
    """
    return EventBuilder(name)
