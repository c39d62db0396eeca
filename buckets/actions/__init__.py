"""The only writers of memberships."""

from buckets.actions.clock import Reconciled, reconcile
from buckets.actions.judge import judge_each, judge_people

__all__ = ["Reconciled", "judge_each", "judge_people", "reconcile"]
