"""Move the runs of people who become one, and end those of people who go."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from hogsend.doorbell import ring
from journeys.actions.wake import follow_runs, stop_waiting
from journeys.statements import affect, fetch

# One person is in a journey once: the survivor's run goes on, the other ends and can be revived.
COLLIDE = """
    update journeys_journeyrun r
    set status = 'exited', exit_reason = 'merged', ended_at = %(now)s, progressed_at = %(now)s, lease_until = null
    where r.contact_id = %(source)s and r.status in ('active', 'waiting') and exists (
        select from journeys_journeyrun kept
        where kept.contact_id = %(target)s and kept.journey_id = r.journey_id and kept.status in ('active', 'waiting')
    )
    returning r.id
"""
MOVE_RUNS = "update journeys_journeyrun set contact_id = %s where contact_id = %s returning id"
MOVE_SKIPS = "update journeys_enrolmentskip set contact_id = %s where contact_id = %s returning id"
RETURN_RUNS = "update journeys_journeyrun set contact_id = %s where contact_id = %s and id = any(%s::uuid[])"
RETURN_SKIPS = "update journeys_enrolmentskip set contact_id = %s where contact_id = %s and id = any(%s)"
REVIVE = """
    with again as (
        update journeys_journeyrun
        set status = 'active', exit_reason = '', ended_at = null, progressed_at = %(now)s
        where id = any(%(runs)s::uuid[]) and status = 'exited' and exit_reason = 'merged'
        returning id
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select id, '', 'retry', %(now)s, 0 from again
"""
END = """
    update journeys_journeyrun
    set status = 'exited', exit_reason = 'contact_deleted', ended_at = %s, progressed_at = %s, lease_until = null
    where contact_id = any(%s::uuid[]) and status in ('active', 'waiting')
    returning id
"""


def fold_runs(*, source: UUID, target: UUID, now: datetime) -> dict[str, Any]:
    """Give all runs of one person to another, and return what was done, for ``unfold_runs``."""
    ended = [run_id for (run_id,) in fetch(COLLIDE, {"source": source, "target": target, "now": now})]
    # A statement of its own: it must see a wakeup that a slice committed while the first waited for its row.
    stop_waiting(ended)
    runs = fetch(MOVE_RUNS, [target, source])
    skips = fetch(MOVE_SKIPS, [target, source])
    follow_runs([target], now=now)
    return {
        "runs": [str(run_id) for (run_id,) in runs],
        "skips": [skip_id for (skip_id,) in skips],
        "ended": [str(run_id) for run_id in ended],
    }


def unfold_runs(*, source: UUID, target: UUID, moved: dict[str, Any], now: datetime) -> None:
    """Give the runs in ``moved`` back to ``target``; those that ended only because of the merge go on."""
    affect(RETURN_RUNS, [target, source, moved["runs"]])
    affect(RETURN_SKIPS, [target, source, moved["skips"]])
    follow_runs([source, target], now=now)
    if affect(REVIVE, {"runs": moved["ended"], "now": now}):
        ring("journeys.advance")


def end_runs_of(contact_ids: Collection[UUID], *, now: datetime) -> int:
    """End the live runs of people who are deleted, and return how many there were."""
    ended = [run_id for (run_id,) in fetch(END, [now, now, list(contact_ids)])]
    stop_waiting(ended)
    return len(ended)
