"""The shape of every condition: leaves, and `and` and `or` over them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from psycopg import sql

MAX_DEPTH: Final = 20


class ConditionError(ValueError):
    """A condition that could never mean anything; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Person:
    """All that conditions look at: somebody's properties, and when they did what, as seen at ``now``."""

    now: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[tuple[str, datetime]] = ()


class Node(ABC):
    """A condition. A new kind of leaf is one subclass in a module of its own, named in ``conditions/reading.py``."""

    __slots__ = ()
    kind: ClassVar[str]

    def __and__(self, other: "Node") -> "Composite":
        """Both are true."""
        return all_of(self, other)

    def __or__(self, other: "Node") -> "Composite":
        """At least one is true."""
        return any_of(self, other)

    @abstractmethod
    def as_data(self) -> dict[str, Any]:
        """Return the plain form, which ``conditions.reading.read`` reads again."""

    @abstractmethod
    def canonical(self) -> dict[str, Any]:
        """Return a plain form that is equal for conditions which mean the same, durations in milliseconds."""

    @abstractmethod
    def is_true_of(self, person: Person) -> bool:
        """Say in Python what ``sql`` says in the database."""

    @abstractmethod
    def sql(self, now: str) -> str:
        """Return a SQL expression over the contact ``c``, never null, whose instant is the SQL expression ``now``."""

    @abstractmethod
    def in_words(self) -> str:
        """Say it in words, for people who do not write code."""

    def leaves(self) -> "Iterator[Node]":
        """Give every leaf, from left to right."""
        yield self

    def is_negative(self) -> bool:
        """Say whether it is true of somebody of whom nothing is known."""
        return False

    def event_name(self) -> str | None:
        """Return the name of the event it counts, if it counts one."""
        return None

    def sliding(self) -> timedelta | None:
        """Return the window out of which events fall as time goes by, if it has one."""
        return None


@dataclass(frozen=True, slots=True)
class Composite(Node):
    """All (``and``) or at least one (``or``) of several conditions."""

    kind: ClassVar[str] = "composite"

    operator: str
    conditions: tuple[Node, ...]

    def __post_init__(self) -> None:
        if self.operator not in {"and", "or"}:
            raise ConditionError(f"There is no way {self.operator!r} to combine conditions; use 'and' or 'or'.")
        if not self.conditions:
            raise ConditionError("A combination needs conditions; an empty one would be true of everybody or nobody.")
        if (stranger := next((one for one in self.conditions if not isinstance(one, Node)), None)) is not None:
            raise ConditionError(f"{stranger!r} is not a condition; write one like prop('plan').eq('trial').")
        if _depth(self) > MAX_DEPTH:
            raise ConditionError(f"Conditions nest deeper than {MAX_DEPTH}; say it more simply.")

    def as_data(self) -> dict[str, Any]:
        """Return the plain form."""
        conditions = [one.as_data() for one in self.conditions]
        return {"type": self.kind, "operator": self.operator, "conditions": conditions}

    def canonical(self) -> dict[str, Any]:
        """Return the plain form with each part in its canonical form."""
        return {**self.as_data(), "conditions": [one.canonical() for one in self.conditions]}

    def is_true_of(self, person: Person) -> bool:
        """Say whether all, or any, are true."""
        told = (one.is_true_of(person) for one in self.conditions)
        return all(told) if self.operator == "and" else any(told)

    def sql(self, now: str) -> str:
        """Return the parts, each in brackets; properties first, for they cost least."""
        ordered = sorted(self.conditions, key=_cost)
        return f" {self.operator} ".join(f"({one.sql(now)})" for one in ordered)

    def in_words(self) -> str:
        """Say the parts, in brackets where they combine others."""
        said = [f"({one.in_words()})" if isinstance(one, Composite) else one.in_words() for one in self.conditions]
        return f" {self.operator} ".join(said)

    def leaves(self) -> Iterator[Node]:
        """Give every leaf, from left to right."""
        for one in self.conditions:
            yield from one.leaves()


def all_of(*conditions: Node) -> Composite:
    """All of these are true."""
    return Composite("and", conditions)


def any_of(*conditions: Node) -> Composite:
    """At least one of these is true."""
    return Composite("or", conditions)


def quoted(text: str) -> str:
    """Write a text as a literal of SQL, whatever it holds."""
    return sql.quote(text).strip()


def storable(text: str) -> bool:
    """Say whether PostgreSQL can hold this text."""
    try:
        return "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def _cost(node: Node) -> int:
    return sum(leaf.event_name() is not None for leaf in node.leaves())


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, node.conditions)) if isinstance(node, Composite) else 1


def events_of(node: Node) -> frozenset[str]:
    """Return the names of all events that are counted."""
    return frozenset(name for leaf in node.leaves() if (name := leaf.event_name()) is not None)
