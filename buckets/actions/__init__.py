"""The only writers of memberships and of all that belongs to buckets."""

from buckets.actions.backfill import (
    begin_backfill,
    continue_backfill,
    note_error,
    plan_backfills,
    run_backfill,
    unfinished,
)
from buckets.actions.clock import Reconciled, reconcile
from buckets.actions.follow import Standing, follow, set_enabled
from buckets.actions.judge import Moved, judge_each, judge_people
from buckets.actions.verify import NotVerifiableError, verify

__all__ = [
    "Moved",
    "NotVerifiableError",
    "Reconciled",
    "Standing",
    "begin_backfill",
    "continue_backfill",
    "follow",
    "judge_each",
    "judge_people",
    "note_error",
    "plan_backfills",
    "reconcile",
    "run_backfill",
    "set_enabled",
    "unfinished",
    "verify",
]
