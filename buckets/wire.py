"""Buckets as they look on the wire: decoding, refusals that say what to do, and answers."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import msgspec

from buckets.definitions import Bucket
from buckets.history import Point, Totals
from buckets.models import Backfill, BucketConfig, BucketMembership, Verification
from buckets.overview import Fed, Overview, is_on
from buckets.queries import Preview
from conditions.durations import duration_data
from conditions.reading import read
from conditions.tree import ConditionError, Node
from hogsend.api.decoding import decode_body
from hogsend.api.errors import ApiError
from hogsend.lib.wire import wire_time

USUAL_SAMPLE = 10


class SwitchBody(msgspec.Struct):
    """The JSON that switches a bucket. Unknown fields are ignored, here and below."""

    enabled: bool


class VerifyBody(msgspec.Struct):
    """The JSON of a verification; null means absent."""

    repair: bool | None = None


class PreviewBody(msgspec.Struct):
    """The JSON of a preview; a null sample means absent."""

    criteria: Any
    sample: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


_switch = msgspec.json.Decoder(SwitchBody)
_verify = msgspec.json.Decoder(VerifyBody)
_preview = msgspec.json.Decoder(PreviewBody)


def decode_switch(body: bytes) -> bool:
    """Read whether the bucket is to be on. Raises ApiError 400 with the field, as all of these do."""
    return decode_body(body, _switch.decode).enabled


def decode_verify(body: bytes) -> bool:
    """Read whether who is astray is to be moved; no body says no."""
    return bool(decode_body(body or b"{}", _verify.decode).repair)


def decode_preview(body: bytes) -> tuple[Node, int]:
    """Read the criteria, in their plain form, and how many people are to be named."""
    found = decode_body(body, _preview.decode)
    try:
        node = read(found.criteria)
    except ConditionError as error:
        sentence = str(error)
        raise ApiError(400, sentence, [{"path": ["criteria"], "code": "invalid", "message": sentence}]) from error
    return node, USUAL_SAMPLE if found.sample is None else found.sample


def bucket_body(seen: Overview) -> dict[str, Any]:
    """Build the JSON of a bucket in a list."""
    bucket = seen.bucket
    return {
        "id": bucket.id,
        "name": bucket.name,
        **_given(description=bucket.description or None),
        "enabled": seen.enabled,
        "kind": "dynamic",
        "timeBased": bool(bucket.time_based),
        "entryLimit": str(bucket.entry_limit),
        "counts": {"active": seen.totals.size, "left": seen.totals.left},
        "state": str(seen.standing),
        "criteriaInWords": bucket.belongs.in_words(),
        "lastFollowedAt": wire_time(seen.config.followed_at),
        "backfill": seen.backfill
        and {"status": seen.backfill.status, "total": seen.backfill.total, "processed": seen.backfill.processed},
    }


def detail_body(seen: Overview, *, fed: Sequence[Fed], recent: Sequence[BucketMembership]) -> dict[str, Any]:
    """Build the JSON of one bucket: beside that of a list, its declaration, whom it feeds and who came last."""
    bucket = seen.bucket
    return {
        **bucket_body(seen),
        "criteria": bucket.criteria.as_data(),
        **_given(
            entryPeriod=_duration(bucket.entry_period),
            minDwell=_duration(bucket.min_dwell),
            maxDwell=_duration(bucket.max_dwell),
        ),
        "fastExpiry": bucket.fast_expiry,
        "syncToPostHog": bucket.sync_to_posthog,
        "feedsJourneys": [_fed_body(one, bucket.id) for one in fed],
        "recentMembers": [member_body(one) for one in recent],
    }


def switched_body(bucket: Bucket, config: BucketConfig) -> dict[str, Any]:
    """Build the JSON of a bucket that was switched."""
    switched = {"id": bucket.id, "name": bucket.name, "enabled": is_on(bucket, config)}
    return {**switched, "updatedAt": wire_time(config.updated_at)}


def member_body(stay: BucketMembership) -> dict[str, Any]:
    """Build the JSON of a stay. Nobody is judged one by one, so no stay has a time at which it was evaluated."""
    contact = stay.contact
    changed = stay.left_at or stay.entered_at
    return {
        "id": str(stay.pk),
        "userId": contact.external_id or contact.anonymous_id or str(contact.pk),
        "userEmail": contact.email,
        "contactId": str(contact.pk),
        "bucketId": stay.bucket_id,
        "status": stay.status,
        "enteredAt": wire_time(stay.entered_at),
        "leftAt": wire_time(stay.left_at),
        "leaveReason": stay.leave_reason or None,
        "expiresAt": wire_time(stay.leave_due_at),
        "maxDwellAt": wire_time(stay.max_dwell_at),
        "lastEvaluatedAt": None,
        "entryCount": stay.entry_number,
        "source": stay.source,
        "context": {},
        "createdAt": wire_time(stay.entered_at),
        "updatedAt": wire_time(changed),
    }


def backfill_body(row: Backfill) -> dict[str, Any]:
    """Build the JSON of a backfill."""
    return {
        "id": str(row.pk),
        "bucketId": row.bucket_id,
        "mode": row.mode,
        "status": row.status,
        "total": row.total,
        "processed": row.processed,
        "joined": row.joined,
        "left": row.left,
        "error": row.error or None,
        "createdAt": wire_time(row.created_at),
        "progressedAt": wire_time(row.progressed_at),
        "finishedAt": wire_time(row.finished_at),
    }


def verification_body(report: Verification) -> dict[str, Any]:
    """Build the JSON of a verification's report."""
    return {
        "id": str(report.pk),
        "bucketId": report.bucket_id,
        "people": report.people,
        "missing": report.missing,
        "surplus": report.surplus,
        "repaired": report.repaired,
        "startedAt": wire_time(report.started_at),
        "finishedAt": wire_time(report.finished_at),
    }


def preview_body(found: Preview) -> dict[str, Any]:
    """Build the JSON of a preview."""
    return {
        "size": found.size,
        "peopleTotal": found.people_total,
        "isEstimate": found.is_estimate,
        "note": found.note or None,
        "inWords": found.in_words,
        "faults": found.faults,
        "cost": found.cost,
        "tookMs": round(found.took / timedelta(milliseconds=1)),
        "sample": [
            {"id": str(one.id), "userId": one.user_id, "userEmail": one.email, "properties": one.properties}
            for one in found.sample
        ],
    }


def totals_body(bucket_id: str, name: str, known: Totals) -> dict[str, Any]:
    """Build the JSON of a bucket among its metrics."""
    average = known.average_stay
    return {
        "bucketId": bucket_id,
        "name": name,
        "size": known.size,
        "entered": known.entered,
        "left": known.left,
        "avgDwellSecs": None if average is None else round(average.total_seconds()),
    }


def point_body(point: Point) -> dict[str, Any]:
    """Build the JSON of a period; its date is the moment at which it begins."""
    begins = datetime.combine(point.start, time(), UTC)
    return {"date": wire_time(begins), "entered": point.entered, "left": point.left, "size": point.size}


def _fed_body(fed: Fed, bucket_id: str) -> dict[str, Any]:
    journey = fed.journey
    return {
        "id": journey.id,
        "name": journey.name,
        "trigger": fed.trigger,
        "sourceBucketId": journey.owner,
        "owned": journey.owner == bucket_id,
    }


def _duration(duration: timedelta | None) -> dict[str, float] | None:
    return None if duration is None else duration_data(duration)


def _given(**fields: Any) -> dict[str, Any]:
    """Leave out what is not there."""
    return {name: value for name, value in fields.items() if value is not None}
