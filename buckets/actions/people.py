"""What becomes of memberships when people become one, are two again, or go."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from buckets.models import BucketMembership, LeaveReason, MembershipStatus
from buckets.statements import CLOSE


def fold_memberships(*, source: UUID, target: UUID, now: datetime) -> dict[str, Any]:
    """Give one person's memberships to another and return which they were, and which of them ended by it."""
    stays = BucketMembership.objects.filter(contact_id=source)
    shared = BucketMembership.objects.filter(contact_id=target, status=MembershipStatus.ACTIVE).values("bucket_id")
    double = stays.filter(status=MembershipStatus.ACTIVE, bucket_id__in=shared)
    ended = [str(pk) for pk in double.values_list("pk", flat=True)]
    BucketMembership.objects.filter(pk__in=ended).update(
        status=MembershipStatus.LEFT, left_at=now, leave_reason=LeaveReason.MERGED, leave_due_at=None
    )
    moved = [str(pk) for pk in stays.values_list("pk", flat=True)]
    stays.update(contact_id=target)
    return {"moved": moved, "ended": ended}


def unfold_memberships(*, source: UUID, target: UUID, moved: Mapping[str, Any]) -> None:
    """Give those back which ``source`` still has; what ended by the merge goes on."""
    stays = BucketMembership.objects.filter(contact_id=source, pk__in=moved.get("moved", []))
    stays.update(contact_id=target)
    BucketMembership.objects.filter(
        contact_id=target, pk__in=moved.get("ended", []), leave_reason=LeaveReason.MERGED
    ).update(status=MembershipStatus.ACTIVE, left_at=None, leave_reason="")


def leave_all(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """End every stay of these people in silence."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, [now, LeaveReason.DELETED.value, list(contact_ids)])
