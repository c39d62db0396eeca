"""What happens to the rows of this app when something happens to a person (contacts/following.py)."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from buckets.actions import judge_each
from buckets.actions.people import fold_memberships, leave_all, mirror_again, unfold_memberships
from buckets.definitions import Bucket, index
from buckets.models import BucketMembership, Source
from contacts.definitions import Change, Merge
from events.actions import emit_events
from hogsend.lib.wire import wire_time

APP = "buckets"


def contacts_changed(changes: Sequence[Change], *, now: datetime) -> None:
    """Who was written about may belong somewhere else now."""
    _judge_and_tell(
        (
            (bucket, change.contact_id)
            for change in changes
            for bucket in index().concerned(properties=change.properties, is_new=change.created)
        ),
        now,
    )


def contacts_merged(merge: Merge) -> None:
    """The survivor takes over the stays of the absorbed; where both are in, the absorbed one's ends in silence."""
    merge.moved[APP] = fold_memberships(source=merge.absorbed_id, target=merge.survivor_id, now=merge.now)


def people_settled(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Whoever got or lost keys, properties and events by a merge or its undoing is judged anew by every bucket."""
    mirror_again(contact_ids, now=now)
    _judge_and_tell(((bucket, one) for bucket in index().enabled() for one in contact_ids), now)


def merge_undone(merge: Merge) -> None:
    """The absorbed get their stays back."""
    unfold_memberships(source=merge.survivor_id, target=merge.absorbed_id, moved=merge.moved.get(APP, {}))


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Who is gone is in no bucket."""
    leave_all(contact_ids, now=now)


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """Every stay of somebody in a bucket."""
    stays = BucketMembership.objects.filter(contact_id=contact_id).order_by("entered_at", "id")
    return {
        APP: [
            {
                "bucketId": stay.bucket_id,
                "status": stay.status,
                "entryCount": stay.entry_number,
                "source": stay.source,
                "enteredAt": wire_time(stay.entered_at),
                "leftAt": wire_time(stay.left_at),
                "reason": stay.leave_reason or None,
            }
            for stay in stays
        ]
    }


def _judge_and_tell(concerned: Iterable[tuple[Bucket, UUID]], now: datetime) -> None:
    told = judge_each(concerned, source=Source.CONTACT, now=now)
    if told:
        emit_events(told, now=now, held=True)
