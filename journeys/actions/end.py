"""End runs: completed, failed, or exited; by their own code or by staff."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from events.actions import emit_events
from events.definitions import NewEvent
from hogsend.doorbell import ring
from journeys.actions.lease import Lease
from journeys.actions.record import FENCE, STEPS, Step, as_json, fence, lock_contact
from journeys.actions.wake import stop_waiting
from journeys.models import RunStatus
from journeys.statements import affect, fetch, fetch_one

END = f"""
    with fenced as (
        update journeys_journeyrun
        set status = %(ended_as)s, error = %(error)s, exit_reason = %(reason)s, crash_count = 0,
            lease_until = null, ended_at = %(now)s, progressed_at = %(now)s
        where {FENCE} returning id
    ), journal as ({STEPS}
    ), served as (
        delete from journeys_wakeup w using fenced where w.run_id = fenced.id
    ), unheard as (
        delete from journeys_eventwaiter w using fenced where w.run_id = fenced.id
    )
    select id from fenced
"""  # noqa: S608 - put together from our own constants
CANCEL = """
    update journeys_journeyrun
    set status = 'exited', exit_reason = %s, ended_at = %s, progressed_at = %s, lease_until = null
    where id = %s and status in ('active', 'waiting')
"""
RETRY = """
    with again as (
        update journeys_journeyrun
        set status = 'active', error = '', crash_count = 0, ended_at = null, progressed_at = %(now)s, lease_until = null
        where id = %(run)s and status = 'failed' returning id
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select id, '', 'retry', %(now)s, 0 from again
"""


class RunNotFoundError(LookupError):
    """There is no such run."""


class RunStateError(ValueError):
    """The run stands where this cannot be done; the message says where."""


def complete_run(lease: Lease, steps: Sequence[Step], *, journey_id: str) -> bool:
    """Record that the journey's code returned; False, and nothing written, if the run is not live or not ours."""
    return _end(lease, steps, RunStatus.COMPLETED, name="journey:completed", properties={"journeyId": journey_id})


def fail_run(lease: Lease, steps: Sequence[Step], *, journey_id: str, error: str, trace: str) -> bool:
    """Record that the journey's code raised ``error``; False, and nothing written, if it is not live or not ours."""
    properties = {"journeyId": journey_id, "error": error}
    return _end(lease, steps, RunStatus.FAILED, name="journey:failed", properties=properties, error=trace)


def leave_run(lease: Lease, steps: Sequence[Step], *, reason: str) -> bool:
    """Record that the run ends early by its own wish; False, and nothing written, if it is not live or not ours."""
    return _end(lease, steps, RunStatus.EXITED, reason=reason)


def _end(
    lease: Lease,
    steps: Sequence[Step],
    ended_as: RunStatus,
    *,
    name: str = "",
    properties: dict[str, Any] | None = None,
    error: str = "",
    reason: str = "",
) -> bool:
    with transaction.atomic():
        now = lock_contact(lease.contact_id)
        values = {"ended_as": ended_as.value, "error": error, "reason": reason, "now": now}
        if not fetch(END, {**fence(lease), "steps": as_json(steps), **values}):
            return False
        if name:
            told = {**(properties or {}), "stateId": str(lease.run_id), "userId": lease.user_key}
            emit_events([NewEvent(lease.contact_id, name, told)], now=now, hop=lease.hop + 1)
    return True


def cancel_run(*, run_id: UUID, reason: str) -> None:
    """End a live run by hand. Raises RunNotFoundError, or RunStateError when it has ended."""
    with transaction.atomic():
        now = _lock_person_of(run_id)
        if not affect(CANCEL, [reason, now, now, run_id]):
            raise RunStateError("This run has ended already; there is nothing to cancel.")
        stop_waiting([run_id])


def retry_run(*, run_id: UUID) -> None:
    """Let a failed run go on after its last recorded step.

    Raises RunNotFoundError, or RunStateError when it has not failed or the person has entered the journey again.
    """
    try:
        with transaction.atomic():
            now = _lock_person_of(run_id)
            if not affect(RETRY, {"run": run_id, "now": now}):
                raise RunStateError("Only a failed run can be retried; this one has not failed.")
            ring("journeys.advance")
    except IntegrityError as error:
        if "run_live" not in str(error):
            raise
        raise RunStateError("This person has entered the journey again; let that run end, then retry.") from error


def _lock_person_of(run_id: UUID) -> datetime:
    """Lock the person of a run. Raises RunNotFoundError."""
    row = fetch_one("select contact_id from journeys_journeyrun where id = %s", [run_id])
    if row is None:
        raise RunNotFoundError("There is no such run; it may have been erased with its person.")
    return lock_contact(row[0])
