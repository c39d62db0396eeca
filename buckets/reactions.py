"""What adopters want done when somebody joins, leaves or stays; each becomes a journey of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from buckets.rules import Schedule
from hogsend.lib.registry import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A function that runs as a journey after a transition of a bucket.

    Attributes:
        kind: ``enter``, ``leave`` or ``dwell``.
        first_entry_only: With ``enter``: only for those who join for the first time.
        reasons: With ``leave``: only for these reasons (``criteria``, ``maxDwell``); empty is any.
        schedule: With ``dwell``: when.
    """

    kind: str
    run: Callable[..., Any]
    source: Source
    first_entry_only: bool = False
    reasons: frozenset[str] = frozenset()
    schedule: Schedule | None = None
