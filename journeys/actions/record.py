"""Write the journal of a run. Every write first proves that the run is live and still ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from contacts.pipeline import call
from journeys.actions.lease import Lease
from journeys.models import StepStatus
from journeys.statements import fetch

LOCK = "select to_json(clock_timestamp()) from pg_advisory_xact_lock(hashtextextended($1, 0))"
FENCE = "id = %(run)s and lease_token = %(token)s and contact_id = %(contact)s and status in ('active', 'waiting')"
STEPS = """
    insert into journeys_journeystep (
        run_id, seq, key, kind, status, result, deadline, created_at, finished_at, arguments_hash
    )
    select fenced.id, seq, key, kind, status, result::jsonb, deadline, created_at, finished_at, ''
    from fenced, jsonb_to_recordset(%(steps)s::jsonb) as step(
        seq int, key text, kind text, status text, result text,
        deadline timestamptz, created_at timestamptz, finished_at timestamptz
    )
    on conflict (run_id, key) do update
    set status = excluded.status, result = excluded.result, finished_at = excluded.finished_at
"""
RECORD = f"""
    with fenced as (
        update journeys_journeyrun
        set status = 'active', crash_count = 0, error = '', node = %(node)s, lease_until = now() + %(lease)s
        where {FENCE} returning id
    ), journal as ({STEPS})
    select id from fenced
"""  # noqa: S608 - put together from our own constants
SUSPEND = f"""
    with fenced as (
        update journeys_journeyrun
        set status = 'waiting', crash_count = 0, error = '', node = %(node)s,
            lease_until = null, progressed_at = %(now)s
        where {FENCE} returning id
    ), journal as ({STEPS}
    ), timer as (
        insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
        select id, %(wait)s, 'timer', %(due_at)s, 0 from fenced
        on conflict (run_id, step_key, reason)
            do update set due_at = excluded.due_at, claimed_until = null, attempts = 0
    ), served as (
        delete from journeys_wakeup w using fenced
        where w.run_id = fenced.id and w.id = any(%(wakeups)s) and not (w.step_key = %(wait)s and w.reason = 'timer')
    ), waiter as (
        insert into journeys_eventwaiter (run_id, contact_id, step_key, event_name)
        select id, %(contact)s, %(wait)s, %(event)s::text from fenced where %(event)s::text is not null
        on conflict (run_id, step_key) do nothing
    ), freed as (
        update journeys_wakeup w set claimed_until = null from fenced
        where w.run_id = fenced.id and not w.id = any(%(wakeups)s) and w.claimed_until is not null
            and not (w.step_key = %(wait)s and w.reason = 'timer')
    )
    select id from fenced
"""  # noqa: S608 - put together from our own constants
# The wakeups that are being served stay: they say that the run goes on, until it waits again or ends.
RESOLVE = f"""
    with fenced as (
        update journeys_journeyrun
        set status = 'active', crash_count = 0, error = '', node = %(node)s, lease_until = now() + %(lease)s
        where {FENCE} returning id
    ), journal as ({STEPS}
    ), heard as (
        delete from journeys_eventwaiter w using fenced where w.run_id = fenced.id and w.step_key = %(wait)s
    ), past as (
        delete from journeys_wakeup w using fenced
        where w.run_id = fenced.id and w.step_key = %(wait)s and not w.id = any(%(wakeups)s)
    )
    select id from fenced
"""  # noqa: S608 - put together from our own constants
_moment = msgspec.json.Decoder(datetime)


@dataclass(frozen=True, slots=True)
class Step:
    """A step to write; ``result`` is JSON text. Writing one that waits again finishes it."""

    seq: int
    key: str
    kind: str
    status: StepStatus
    result: str | None
    deadline: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when a run waits, at which step and place, and for which event; the claimed wakeups that it serves."""

    key: str
    node: str
    due_at: datetime
    wakeup_ids: list[int]
    event_name: str | None = None


def lock_contact(contact_id: UUID) -> datetime:
    """Lock a person for the present transaction, as recording an event does, and return the database's clock.

    Whoever will need the person must lock them before any row: events come in the order person, rows.
    """
    return _moment.decode(call(LOCK, [str(contact_id)]))


def record_steps(lease: Lease, steps: Sequence[Step], *, node: str) -> bool:
    """Write ``steps`` and keep the lease; False, and nothing written, if the run ended, moved or is no longer ours."""
    kept = {"node": node, "lease": settings.HOGSEND_RUN_LEASE}
    return bool(fetch(RECORD, {**fence(lease), "steps": as_json(steps), **kept}))


def suspend_run(lease: Lease, steps: Sequence[Step], wait: Wait, *, now: datetime) -> bool:
    """Write ``steps``, let the run wait and give the lease back; False as in ``record_steps``."""
    waiting = {"wait": wait.key, "node": wait.node, "due_at": wait.due_at, "wakeups": wait.wakeup_ids, "now": now}
    waiting["event"] = wait.event_name
    return bool(fetch(SUSPEND, {**fence(lease), "steps": as_json(steps), **waiting}))


def resolve_wait(lease: Lease, steps: Sequence[Step], wait: Wait) -> bool:
    """Write ``steps``, which end a wait, and forget what would wake the run for it; False as in ``record_steps``."""
    over = {"wait": wait.key, "node": wait.node, "wakeups": wait.wakeup_ids, "lease": settings.HOGSEND_RUN_LEASE}
    return bool(fetch(RESOLVE, {**fence(lease), "steps": as_json(steps), **over}))


def fence(lease: Lease) -> dict[str, Any]:
    """Return the values of FENCE."""
    return {"run": lease.run_id, "token": lease.token, "contact": lease.contact_id}


def as_json(steps: Sequence[Step]) -> str:
    """Return the value of STEPS: one text is cheaper to send than an array per column."""
    return msgspec.json.encode(steps).decode()
