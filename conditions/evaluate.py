"""The meaning of conditions on values in memory."""

from collections.abc import Iterable, Mapping
from typing import Any

from conditions.property import PropertyCondition


def holds(conditions: Iterable[PropertyCondition], properties: Mapping[str, Any]) -> bool:
    """All conditions are true of ``properties``; no condition at all is true."""
    return all(condition.holds(properties) for condition in conditions)
