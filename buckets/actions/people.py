"""What becomes of memberships when people become one, are two again, or go."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from buckets.definitions import index
from buckets.models import BucketMembership, LeaveReason, MembershipStatus
from buckets.statements import CLOSE, MIRROR_AGAIN


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
    # The number of an entry means something with the contact who entered; the events of the stay go on under both.
    stays.filter(born_as=None).update(born_as=source)
    stays.update(contact_id=target)
    return {"moved": moved, "ended": ended}


def unfold_memberships(*, source: UUID, target: UUID, moved: Mapping[str, Any]) -> None:
    """Give those back which ``source`` still has; what ended by the merge goes on."""
    stays = BucketMembership.objects.filter(contact_id=source, pk__in=moved.get("moved", []))
    stays.update(contact_id=target)
    BucketMembership.objects.filter(
        contact_id=target, pk__in=moved.get("ended", []), leave_reason=LeaveReason.MERGED
    ).update(status=MembershipStatus.ACTIVE, left_at=None, leave_reason="")


def mirror_again(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Let PostHog be told again which mirrored buckets these people are in, of those they ever were in."""
    mirrored = [bucket.id for bucket in index().by_id.values() if bucket.sync_to_posthog]
    if mirrored:
        with connection.cursor() as cursor:
            cursor.execute(MIRROR_AGAIN, [now, list(contact_ids), mirrored])


def leave_all(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """End every stay of these people in silence."""
    with connection.cursor() as cursor:
        mirrored = [bucket.id for bucket in index().by_id.values() if bucket.sync_to_posthog]
        cursor.execute(CLOSE, [now, LeaveReason.DELETED.value, list(contact_ids), mirrored])
