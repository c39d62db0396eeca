"""What operators do by hand to runs and journeys: end a wait, switch a journey, make it stand still."""

import json
from datetime import datetime
from uuid import UUID

from django.db import transaction

from hogsend.doorbell import ring
from journeys.actions.end import RunNotFoundError, RunStateError
from journeys.actions.park import park, take_back
from journeys.models import LIVE, JourneyOverride, JourneyRun
from journeys.rules import storable
from journeys.statements import affect, fetch

# The token goes up: who lets the run wait again with the old deadline in mind can write nothing.
SKIP_WAIT = """
    with held as (
        update journeys_journeyrun set lease_token = lease_token + 1
        where id = %(run)s and status = 'waiting' and (lease_until is null or lease_until < %(now)s)
        returning id
    ), over as (
        update journeys_journeystep s set deadline = least(s.deadline, %(now)s)
        where s.id = (
            select w.id from held join journeys_journeystep w on w.run_id = held.id
            where w.status = 'pending' order by w.seq desc limit 1
        )
        returning s.run_id, s.seq, s.key
    ), told as (
        insert into journeys_journeystep (
            run_id, seq, key, kind, status, result, created_at, finished_at, arguments_hash
        )
        select run_id, seq, 'skipped:' || key, 'skipped', 'done', %(by)s::jsonb, %(now)s, %(now)s, '' from over
        on conflict (run_id, key) do nothing
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select run_id, key, 'timer', %(now)s, 0 from over
    on conflict (run_id, step_key, reason) do update set due_at = excluded.due_at, claimed_until = null, attempts = 0
"""
SET = """
    insert into journeys_journeyoverride as o (journey_id, enabled, paused, updated_at)
    values (
        %(journey)s, coalesce(%(enabled)s::boolean, true), coalesce(%(paused)s::boolean, false), clock_timestamp()
    )
    on conflict (journey_id) do update
    set enabled = coalesce(%(enabled)s::boolean, o.enabled), paused = coalesce(%(paused)s::boolean, o.paused),
        updated_at = excluded.updated_at
    returning journey_id, enabled, paused, updated_at
"""


def skip_wait(*, run_id: UUID, by: str, now: datetime) -> None:
    """Let a run go on as if its wait were over: a sleep ends, a wait for an event times out.

    Raises RunNotFoundError, or RunStateError when it does not wait.
    """
    with transaction.atomic():
        if affect(SKIP_WAIT, {"run": run_id, "by": json.dumps({"by": storable(by)}), "now": now}):
            ring("journeys.advance")
            return
    run = JourneyRun.objects.filter(id=run_id).only("status", "lease_until").first()
    if run is None:
        raise RunNotFoundError("There is no such run; it may have been erased with its person.")
    if run.status not in LIVE:
        raise RunStateError("This run has ended already; there is no wait to skip.")
    raise RunStateError("This run does not wait just now: a worker has it or is about to. Look again in a moment.")


def set_journey(*, journey_id: str, enabled: bool | None = None, paused: bool | None = None) -> JourneyOverride:
    """Switch a journey, which keeps people out and no run, or pause it; what is not given stays as it is.

    While it is paused its runs stand still, each at its next wait at the latest: their time passes and events are
    remembered, but nothing is played. Whatever ends runs still ends them, and whoever enters stands at the start. When
    it is resumed, what became due meanwhile goes on at once, the longest overdue first.
    """
    with transaction.atomic():
        [row] = fetch(SET, {"journey": journey_id, "enabled": enabled, "paused": paused})
        override = JourneyOverride(journey_id=row[0], enabled=row[1], paused=row[2], updated_at=row[3])
        if paused is True:
            park(journey_id, now=override.updated_at)
        if paused is False:
            take_back(journey_id, now=override.updated_at)
    return override
