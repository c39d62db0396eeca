"""What the mirror tells PostHog: properties of many people, set and unset by one request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hogsend import posthog
from hogsend.posthog import NotAcceptedError

__all__ = ["TIMEOUT", "NotAcceptedError", "Truth", "tell"]

TIMEOUT = posthog.TIMEOUT


@dataclass(slots=True)
class Truth:
    """What is true of one person: the properties that say so of a bucket they are in, and those of the others."""

    distinct_id: str
    inside: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)


def tell(truths: Sequence[Truth], *, now: datetime) -> None:
    """Set and unset the properties of people and wait until PostHog has taken all of it.

    Raises NotAcceptedError; part of it may have arrived all the same. Telling it again changes nothing.
    """
    posthog.send([_event(one, now) for one in truths], timeout=TIMEOUT)


def _event(truth: Truth, now: datetime) -> dict[str, Any]:
    # Otherwise PostHog takes the place of this server for the place where the person lives.
    properties: dict[str, Any] = {"$geoip_disable": True}
    if truth.inside:
        properties["$set"] = dict.fromkeys(sorted(truth.inside), True)
    if truth.outside:
        properties["$unset"] = sorted(truth.outside)
    return {"event": "$set", "distinct_id": truth.distinct_id, "timestamp": now, "properties": properties}
