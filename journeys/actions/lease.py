"""Claim what is due, take the right to advance one run, keep it, give it back."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from contacts.pipeline import call
from journeys.models import WakeReason
from journeys.statements import affect, fetch

CLAIM = """
    update journeys_wakeup w
    set claimed_until = %(now)s + %(lease)s, attempts = least(w.attempts + 1, 1000)
    where w.id = any(array(
        select id from journeys_wakeup due
        where due_at <= %(now)s and (claimed_until is null or claimed_until < %(now)s)
            and not exists (
                select from journeys_journeyrun r, journeys_journeyoverride o
                where r.id = due.run_id and o.journey_id = r.journey_id and o.paused offset 0
            )
        order by due_at limit %(limit)s for update of due skip locked
    ))
    returning w.due_at, w.id, w.run_id, w.step_key, w.reason, w.attempts,
        (select journey_id from journeys_journeyrun where id = w.run_id),
        (select version from journeys_journeyrun where id = w.run_id)
"""
TAKE = "select journeys_take($1, $2, $3)"  # journeys/migrations/0005
FORGET_ENDED = """
    delete from journeys_wakeup
    where run_id = %s and (select status not in ('active', 'waiting') from journeys_journeyrun where id = %s)
"""
EXTEND = """
    update journeys_journeyrun set lease_until = now() + %s
    where id = %s and lease_token = %s and status in ('active', 'waiting')
"""
PUSH_BACK = """
    with told as (
        update journeys_journeyrun r
        set error = (
            select late.error from unnest(%(runs)s::uuid[], %(errors)s::text[]) as late(id, error) where late.id = r.id
        )
        where r.id = any(%(runs)s::uuid[]) and r.status in ('active', 'waiting')
    )
    update journeys_wakeup w
    set claimed_until = null,
        due_at = (
            select until from unnest(%(wakeups)s::bigint[], %(untils)s::timestamptz[]) as late(id, until)
            where late.id = w.id
        )
    where w.id = any(%(wakeups)s::bigint[])
"""
RELEASE = "update journeys_journeyrun set lease_until = null where id = %s and lease_token = %s"
_Known = tuple[int, UUID, str, str, int, datetime, str, str | None, bool, int]
_Step = tuple[str, str | None, datetime | None, datetime, str | None]
_taken = msgspec.json.Decoder(tuple[_Known, list[_Step]] | None)


@dataclass(frozen=True, slots=True)
class Due:
    """A run that is due, with the claimed wakeups that say so."""

    run_id: UUID
    journey_id: str
    wakeup_ids: list[int]
    timers: list[str]
    attempts: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Delay:
    """A run that cannot go on now: until when it waits, and why."""

    due: Due
    until: datetime
    error: str


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A step as the journal holds it; ``result`` is JSON text, ``armed`` what an unfinished one waits for."""

    result: str | None
    deadline: datetime | None
    created_at: datetime
    armed: str | None = None


@dataclass(slots=True)
class Lease:
    """The right to advance one run, and what is known of the run. Whoever holds an older token can write nothing."""

    run_id: UUID
    token: int
    contact_id: UUID
    context: dict[str, Any]
    code_hash: str
    crash_count: int
    taken_at: datetime
    user_key: str
    email: str | None
    contact_gone: bool
    hop: int
    steps: dict[str, RecordedStep]


def database_now() -> datetime:
    """Return the database's clock, the only one that counts."""
    [(now,)] = fetch("select clock_timestamp()")
    moment: datetime = now
    return moment


def claim_due(*, now: datetime, limit: int = 200) -> list[Due]:
    """Claim up to ``limit`` wakeups that are due, oldest first, and return their runs.

    A claim that is not followed by progress lapses by itself, so a lost worker delays its runs and loses none.
    """
    rows = sorted(fetch(CLAIM, {"now": now, "lease": settings.HOGSEND_RUN_LEASE, "limit": limit}))
    runs: dict[UUID, Due] = {}
    for _, wakeup_id, run_id, step_key, reason, attempts, journey_id, version in rows:
        due = runs.get(run_id)
        if due is None:
            due = runs[run_id] = Due(run_id, journey_id, [], [], attempts, version)
        due.wakeup_ids.append(wakeup_id)
        if reason == WakeReason.TIMER:
            due.timers.append(step_key)
    return list(runs.values())


def take_lease(due: Due, *, owner: str) -> Lease | None:
    """Take the run if it is live and nobody holds it, and load its journal; None if it cannot be had now.

    A lease that was never given back counts as a crash of its holder.
    """
    length = f"{settings.HOGSEND_RUN_LEASE.total_seconds()} seconds"
    taken = _taken.decode(call(TAKE, [due.run_id.hex, owner, length]))
    if taken is None:
        affect(FORGET_ENDED, [due.run_id, due.run_id])
        return None
    (token, contact_id, context, *known), steps = taken
    journal = {key: RecordedStep(*rest) for key, *rest in steps}
    return Lease(due.run_id, token, contact_id, json.loads(context), *known, journal)  # type: ignore[call-arg]


def extend_lease(*, run_id: UUID, token: int, length: timedelta) -> bool:
    """Keep the run for ``length`` from now; False if it has ended or belongs to another."""
    return affect(EXTEND, [length, run_id, token]) == 1


def push_back(delays: list[Delay]) -> None:
    """Let runs wait longer, and say why in their ``error``; the next progress clears it."""
    values = {
        "runs": [delay.due.run_id for delay in delays],
        "errors": [delay.error for delay in delays],
        "wakeups": [wakeup for delay in delays for wakeup in delay.due.wakeup_ids],
        "untils": [delay.until for delay in delays for _ in delay.due.wakeup_ids],
    }
    affect(PUSH_BACK, values)


def release_lease(lease: Lease) -> None:
    """Give the run back. Nothing happens if it was lost already."""
    affect(RELEASE, [lease.run_id, lease.token])
