"""Events of runs for PostHog: written with the step that says them, handed over afterwards.

There is one teller at a time, so that PostHog hears things in the order in which they happened as long as it answers.
While it does, the transaction holds the lock of the outbox and no row.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from buckets.mirroring import pause
from hogsend import posthog
from hogsend.doorbell import ring
from hogsend.lib.ids import new_id
from journeys.statements import affect, fetch

SET = "$set"
LIMIT = 200  # rows in one request, of at most 64 KiB each
LOCK = "select pg_try_advisory_xact_lock(hashtextextended('journeys.capture', 0))"
NOTE = """
    insert into journeys_capture (id, contact_id, distinct_id, name, properties, occurred_at, due_at, attempts, error)
    select %(id)s, c.id, coalesce(c.external_id, c.anonymous_id, c.id::text), %(name)s, %(properties)s::jsonb,
           %(now)s, %(now)s, 0, ''
    from contacts_contact c where c.id = %(contact)s
"""
DUE = """
    select c.id, c.distinct_id, c.name, c.properties, c.occurred_at, c.attempts,
           case when c.name = '$set' then (select k.properties from contacts_contact k where k.id = c.contact_id) end
    from journeys_capture c where c.due_at <= %s
    order by c.due_at, c.id limit %s
"""
FORGET = "delete from journeys_capture where id = any(%s::uuid[])"
KEEP = """
    update journeys_capture c set attempts = c.attempts + 1, due_at = later.due_at, error = %s
    from unnest(%s::uuid[], %s::timestamptz[]) later(id, due_at) where c.id = later.id
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many rows PostHog has taken, and how many have to be told again."""

    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Due:
    id: UUID
    distinct_id: str
    name: str
    properties: dict[str, Any]
    occurred_at: datetime
    attempts: int
    known: dict[str, Any] | None


def note_capture(contact_id: UUID, *, name: str, properties: dict[str, Any], now: datetime) -> UUID | None:
    """Write an event for PostHog about somebody, as they are called now; None without POSTHOG_API_KEY."""
    if not settings.POSTHOG_API_KEY:
        return None
    capture_id = new_id()
    values = {"id": capture_id, "contact": contact_id, "name": name, "properties": json.dumps(properties), "now": now}
    affect(NOTE, values)
    ring("journeys.capture")
    return capture_id


def deliver_captures(*, now: datetime, limit: int = LIMIT) -> Delivered:
    """Hand up to ``limit`` events that are due over to PostHog.

    Does nothing without POSTHOG_API_KEY, and while somebody else does it. What PostHog does not take is kept with the
    reason and told again after a pause. Whoever dies on the way is repeated by the next, under the same ids, of which
    PostHog keeps one.
    """
    if not settings.POSTHOG_API_KEY:
        return Delivered()
    started = time.monotonic()
    with transaction.atomic():
        if fetch(LOCK) != [(True,)]:
            return Delivered()
        told = posthog.tell_all(_due(now, limit), _tell)
        affect(FORGET, [[row.id for row in told.taken]])
        if told.why is not None:
            _keep(told.refused, told.why, now=now + timedelta(seconds=time.monotonic() - started))
            log.warning("journeys.not_captured", rows=len(told.refused), error=str(told.why))
    return Delivered(len(told.taken), len(told.refused))


def _due(now: datetime, limit: int) -> list[_Due]:
    rows = fetch(DUE, [now, limit])
    return [
        _Due(row_id, distinct_id, name, json.loads(said), at, attempts, known and json.loads(known))
        for row_id, distinct_id, name, said, at, attempts, known in rows
    ]


def _tell(rows: Sequence[_Due]) -> None:
    posthog.send([_event(row) for row in rows])


def _event(row: _Due) -> dict[str, Any]:
    said = row.properties if row.known is None else _truth(row.properties, row.known)
    return {
        "event": row.name,
        "distinct_id": row.distinct_id,
        "uuid": str(row.id),
        "timestamp": row.occurred_at,
        # Otherwise PostHog takes the place of this server for the place where the person lives.
        "properties": {"$geoip_disable": True, **said},
    }


def _truth(said: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return the present values: one that was held up must not overwrite a younger one."""
    named = said.get(SET, {})
    found: dict[str, Any] = {}
    if inside := {name: known[name] for name in named if name in known}:
        found[SET] = inside
    if outside := sorted(name for name in named if name not in known):
        found["$unset"] = outside
    return found


def _keep(refused: Sequence[_Due], why: posthog.NotAcceptedError, *, now: datetime) -> None:
    moments = [now + pause(row.attempts + 1, asked=why.wait) for row in refused]
    affect(KEEP, [str(why), [row.id for row in refused], moments])
