"""The only writers of memberships and of all that belongs to buckets."""

from buckets.actions.backfill import (
    BucketOffError,
    begin_backfill,
    continue_backfill,
    note_error,
    plan_backfills,
    run_backfill,
    unfinished,
)
from buckets.actions.clock import Reconciled, reconcile
from buckets.actions.days import count_days
from buckets.actions.judge import Moved, judge_each, judge_people
from buckets.actions.mirror import Mirrored, mirror_due
from buckets.actions.tick import Standing, follow, set_enabled
from buckets.actions.verification import NotVerifiableError, verify

__all__ = [
    "BucketOffError",
    "Mirrored",
    "Moved",
    "NotVerifiableError",
    "Reconciled",
    "Standing",
    "begin_backfill",
    "continue_backfill",
    "count_days",
    "follow",
    "judge_each",
    "judge_people",
    "mirror_due",
    "note_error",
    "plan_backfills",
    "reconcile",
    "run_backfill",
    "set_enabled",
    "unfinished",
    "verify",
]
