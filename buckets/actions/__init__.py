"""The only writers of memberships."""

from buckets.actions.judge import judge_each, judge_people

__all__ = ["judge_each", "judge_people"]
