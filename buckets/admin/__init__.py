"""Buckets for staff: all of them at a glance, each on a page, who is in, and who would be."""

from buckets.admin.bucket import BucketAdmin
from buckets.admin.members import MembershipAdmin

__all__ = ["BucketAdmin", "MembershipAdmin"]
