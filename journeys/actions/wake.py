"""Wake runs that wait for an event.

Who is woken looks for the event by itself (journeys/journal.py), so waking somebody in vain costs time alone.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from contacts.pipeline import array, call
from events.definitions import Batch, Exit
from hogsend.doorbell import ring
from journeys.statements import affect

WAKE = "select journeys_wake($1, $2)"  # journeys/migrations/0004
STOP = """
    with deaf as (delete from journeys_eventwaiter where run_id = any(%(runs)s::uuid[]))
    delete from journeys_wakeup where run_id = any(%(runs)s::uuid[])
"""
FOLLOW = """
    with moved as (
        update journeys_eventwaiter w set contact_id = r.contact_id
        from journeys_journeyrun r where r.contact_id = any(%(people)s::uuid[]) and w.run_id = r.id
        returning w.run_id, w.step_key
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select run_id, step_key, 'event', %(now)s, 0 from moved
    on conflict do nothing
"""


def wake_waiting(batch: Batch) -> None:
    """Let the runs go on that wait for an event of ``batch``. The caller holds the contacts' locks."""
    if batch.events:
        hear_woken(call(WAKE, [array(one.contact_id for one in batch.events), array(one.name for one in batch.events)]))


def hear_woken(answer: str | bytes) -> dict[UUID, tuple[Exit, ...]]:
    """Ring if anybody was woken; nobody leaves a journey by it."""
    if int(answer):
        ring("journeys.advance")
    return {}


def stop_waiting(run_ids: Collection[UUID]) -> None:
    """Forget all that would wake these runs, which have ended."""
    affect(STOP, {"runs": array(run_ids)})


def follow_runs(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Let what waits go on for the people to whom the runs belong now, who may have done it already."""
    if affect(FOLLOW, {"people": array(contact_ids), "now": now}):
        ring("journeys.advance")
