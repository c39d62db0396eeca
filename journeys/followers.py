"""What happens to the rows of this app when something happens to a person (contacts/following.py)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.definitions import Merge
from hogsend.lib.wire import wire_time
from journeys.actions.fold import end_runs_of, fold_runs, unfold_runs
from journeys.models import EnrolmentSkip, JourneyRun

APP = "journeys"


def contacts_merged(merge: Merge) -> None:
    """The survivor goes on with the runs of the absorbed."""
    merge.moved[APP] = fold_runs(source=merge.absorbed_id, target=merge.survivor_id, now=merge.now)


def merge_undone(merge: Merge) -> None:
    """The absorbed gets their runs back."""
    unfold_runs(source=merge.survivor_id, target=merge.absorbed_id, moved=merge.moved[APP], now=merge.now)


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Nobody goes on through a journey who is gone."""
    end_runs_of(contact_ids, now=now)


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """All journeys somebody went through, step by step, and those they did not enter."""
    runs = JourneyRun.objects.filter(contact_id=contact_id).order_by("created_at").prefetch_related("steps")
    skips = EnrolmentSkip.objects.filter(contact_id=contact_id).order_by("created_at")
    return {
        APP: [_run(run) for run in runs],
        "enrolmentSkips": [
            {"journeyId": skip.journey_id, "reason": skip.reason, "at": wire_time(skip.created_at)} for skip in skips
        ],
    }


def _run(run: JourneyRun) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "journeyId": run.journey_id,
        "status": run.status,
        "context": run.context,
        "exitReason": run.exit_reason,
        "startedAt": wire_time(run.created_at),
        "endedAt": wire_time(run.ended_at),
        "steps": [
            {"key": step.key, "status": step.status, "result": step.result, "at": wire_time(step.created_at)}
            for step in run.steps.all()
        ],
    }
