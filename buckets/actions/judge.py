"""Move people to where they belong."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from buckets import statements
from buckets.definitions import Bucket
from buckets.models import LeaveReason, Source
from buckets.rules import Transition, event_key, event_name
from contacts.pipeline import array, pipeline
from events.definitions import NewEvent


def judge_people(
    bucket: Bucket, contact_ids: Collection[UUID], *, source: Source, now: datetime, may_join: bool = True
) -> list[NewEvent]:
    """Let those of the people who belong into ``bucket`` join, if they ``may_join``, and those who do not leave.

    Returns the events that tell of it, which the caller emits in the same transaction. The people's locks must be held,
    so that two judgements of one person follow each other. Repeating it changes nothing.
    """
    with pipeline() as pipe:
        rows = pipe.send(statements.judge(bucket), [now, array(contact_ids), source.value, may_join]).fetchall()
    return [
        told(bucket, transition, (contact_id, person), entry_number, source=source)
        for transition, contact_id, person, entry_number, announced in rows
        if announced
    ]


def judge_each(concerned: Iterable[tuple[Bucket, UUID]], *, source: Source, now: datetime) -> list[NewEvent]:
    """Judge each person by each bucket that concerns them, as ``judge_people`` does, one statement for each bucket."""
    people: dict[str, tuple[Bucket, set[UUID]]] = {}
    for bucket, contact_id in concerned:
        people.setdefault(bucket.id, (bucket, set()))[1].add(contact_id)
    return [event for bucket, ids in people.values() for event in judge_people(bucket, ids, source=source, now=now)]


def told(
    bucket: Bucket,
    transition: str,
    person: tuple[UUID, str],
    entry_number: int,
    *,
    source: Source,
    reason: LeaveReason = LeaveReason.CRITERIA,
) -> NewEvent:
    """Build the event that tells of a transition of a person, given by our own id and the one that the wire knows."""
    contact_id, user_id = person
    properties: dict[str, Any] = {
        "bucketId": bucket.id,
        "bucketName": bucket.name,
        "userId": user_id,
        "transition": transition,
        "source": source.value,
        "entryCount": entry_number,
    }
    if transition == Transition.LEFT:
        properties["reason"] = reason.value
    # By our own id: whoever comes back after a deletion begins to count anew under the same user id.
    key = event_key(transition, bucket.id, str(contact_id), entry_number)
    return NewEvent(contact_id, event_name(transition, bucket.id), properties, idempotency_key=key)
