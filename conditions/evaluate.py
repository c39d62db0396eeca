"""The meaning of conditions on values in memory."""

from collections.abc import Iterable, Mapping
from typing import Any

from conditions.nodes import Condition


def holds(conditions: Iterable[Condition], properties: Mapping[str, Any]) -> bool:
    """All conditions are true of ``properties``; no condition at all is true."""
    return all(condition.holds(properties) for condition in conditions)
