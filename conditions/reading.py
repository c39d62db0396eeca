"""Conditions from what an adopter writes: built, or in plain form. Checked here, where it was written."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from conditions.event import EventCondition
from conditions.property import PropertyCondition
from conditions.tree import Composite, ConditionError, Node

Plain = Node | Mapping[str, Any]
Where = Plain | Iterable[Plain]

# A new kind of leaf is a line here.
LEAVES: Final[Mapping[str, Callable[[Mapping[str, Any]], Node]]] = {
    PropertyCondition.kind: PropertyCondition.from_data,
    EventCondition.kind: EventCondition.from_data,
}


def read(condition: object, *, allowed: Collection[str] = LEAVES) -> Node:
    """Return the condition, from its plain form if it has that, made of leaves that are ``allowed``.

    Raises ConditionError with what to write instead.
    """
    if isinstance(condition, Node):
        for leaf in condition.leaves():
            if leaf.kind not in allowed:
                raise _stranger(leaf.kind, allowed)
        return condition
    if not isinstance(condition, Mapping):
        raise ConditionError(f"{condition!r} is not a condition; write one like prop('plan').eq('trial').")
    kind = condition.get("type")
    if kind == Composite.kind:
        return _composite(condition, allowed)
    if not isinstance(kind, str) or kind not in LEAVES or kind not in allowed:
        raise _stranger(kind, allowed)
    return LEAVES[kind](condition)


def property_conditions(where: Where) -> tuple[PropertyCondition, ...]:
    """Return conditions on a payload (one or several, all of which must be true) as a tuple. Raises ConditionError."""
    items: object = (where,) if isinstance(where, Node | Mapping | str) else where
    if not isinstance(items, Iterable):
        raise ConditionError(f"{where!r} is not a condition; write one like prop('plan').eq('trial').")
    found: list[PropertyCondition] = []
    for item in items:
        node = read(item, allowed=(PropertyCondition.kind,))
        if isinstance(node, Composite) and node.operator == "or":
            raise ConditionError("Conditions on an event are all to be true; write several, or one journey for each.")
        found += [leaf for leaf in node.leaves() if isinstance(leaf, PropertyCondition)]
    return tuple(found)


def fingerprint(node: Node) -> str:
    """Return a hash that is equal for conditions which mean the same and are written in the same order."""
    text = json.dumps(node.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def _composite(data: Mapping[str, Any], allowed: Collection[str]) -> Composite:
    conditions = data.get("conditions")
    if set(data) - {"type", "operator", "conditions"} or not isinstance(conditions, list | tuple):
        raise ConditionError("A combination of conditions has an operator ('and' or 'or') and a list of conditions.")
    return Composite(str(data.get("operator")), tuple(read(one, allowed=allowed) for one in conditions))


def _stranger(kind: object, allowed: Collection[str]) -> ConditionError:
    return ConditionError(f"There is no condition of type {kind!r} here; use: {', '.join(allowed)}.")
