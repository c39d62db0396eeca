"""Tell of stays that last, and keep what is due in step with what the code declares."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from buckets.actions.tell import Teller
from buckets.definitions import Bucket
from buckets.models import BucketConfig, Source
from buckets.rules import Schedule
from contacts.pipeline import array, pipeline
from events.definitions import NewEvent

# Whose stay has lasted long enough. Ended stays and people who are gone come along: their rows go.
LASTED = """
    select m.contact_id from buckets_dwelldue d join buckets_bucketmembership m on m.id = d.membership_id
    where d.bucket_id = %s and d.label = %s and d.due_at <= %s order by d.due_at limit %s"""
# What repeats is due next at the first multiple of its offset after now: what was missed is told once, without drift.
FIRE = """
    with p as (select %s::timestamptz as now, %s::interval as due, %s::boolean as repeats),
    lasted as materialized (
        select d.id, m.contact_id, m.entry_number, coalesce(m.born_as, m.contact_id) as born_as,
               coalesce(m.dwell_anchor_at, m.entered_at) as since, m.status = 'active' as inside,
               case when p.repeats then floor(extract(epoch from p.now - coalesce(m.dwell_anchor_at, m.entered_at))
                                              / extract(epoch from p.due))::bigint else 1 end as ordinal
        from p cross join unnest(%s::uuid[]) u(id)
        cross join lateral (select * from buckets_bucketmembership m
                            where m.contact_id = u.id and m.bucket_id = %s offset 0) m
        cross join lateral (select * from buckets_dwelldue d where d.membership_id = m.id and d.label = %s offset 0) d
        where d.due_at <= p.now
    ),
    next as (
        update buckets_dwelldue d set due_at = l.since + (l.ordinal + 1) * p.due
        from lasted l, p where d.id = l.id and p.repeats and l.inside
    ),
    done as (delete from buckets_dwelldue d using lasted l, p where d.id = l.id and not (p.repeats and l.inside))
    select c.id, coalesce(c.external_id, c.anonymous_id, c.id::text), l.born_as, l.entry_number, l.ordinal
    from lasted l cross join lateral (select * from contacts_contact c where c.id = l.contact_id offset 0) c
    where l.inside and c.deleted_at is null and l.ordinal > 0
    order by c.id"""
SEED = """
    insert into buckets_dwelldue (membership_id, bucket_id, label, due_at)
    select m.id, m.bucket_id, s.label, coalesce(m.dwell_anchor_at, m.entered_at) + s.due
    from buckets_bucketmembership m cross join unnest(%s::text[], %s::interval[]) s(label, due)
    where m.bucket_id = %s and m.status = 'active'
    on conflict do nothing"""
UNSEED = "delete from buckets_dwelldue where bucket_id = %s and not label = any(%s::text[])"
STAMP = """
    update buckets_bucketmembership m set max_dwell_at = m.entered_at + %s::interval
    where m.bucket_id = %s and m.status = 'active' and m.max_dwell_at is distinct from m.entered_at + %s::interval"""


def lasting(bucket: Bucket, schedule: Schedule, *, now: datetime, limit: int) -> list[UUID]:
    """Return up to ``limit`` of the people whose stay has lasted as long as ``schedule`` says."""
    with pipeline() as pipe:
        rows = pipe.send(LASTED, [bucket.id, schedule.label, now, limit]).fetchall()
    return [row[0] for row in rows]


def dwell(bucket: Bucket, schedule: Schedule, contact_ids: Collection[UUID], *, now: datetime) -> list[NewEvent]:
    """Note that the stays of these people have lasted, and return what tells of it. Their locks must be held."""
    values = [now, schedule.offset, schedule.repeats, array(contact_ids), bucket.id, schedule.label]
    with pipeline() as pipe:
        rows = pipe.send(FIRE, values).fetchall()
    teller = Teller(bucket, Source.RECONCILE)
    return [
        event
        for contact_id, user_id, born_as, entry_number, ordinal in rows
        for event in teller.dwell(schedule, (contact_id, user_id), (entry_number, born_as), ordinal)
    ]


def adopt_policy(bucket: Bucket, config: BucketConfig) -> None:
    """Give the people who are in the due times that the code declares now, if it declares others than before.

    Who has been in longer than a new time is due at once. The bucket's lock must be held.
    """
    policy = policy_of(bucket)
    if config.policy == policy:
        return
    offsets = {one.label: one.offset for one in bucket.schedules}
    fresh = {label: offset for label, offset in offsets.items() if label not in config.policy.get("dwell", [])}
    with pipeline() as pipe:
        pipe.send(UNSEED, [bucket.id, array(offsets)])
        pipe.send(SEED, [array(fresh), array(_interval(one) for one in fresh.values()), bucket.id])
        longest = None if bucket.max_dwell is None else _interval(bucket.max_dwell)
        pipe.send(STAMP, [longest, bucket.id, longest])
    config.policy = policy
    config.save(update_fields=["policy", "updated_at"])


def policy_of(bucket: Bucket) -> dict[str, Any]:
    """Return the times that due rows follow, as they are stored."""
    longest = None if bucket.max_dwell is None else _interval(bucket.max_dwell)
    return {"maxDwell": longest, "dwell": sorted(one.label for one in bucket.schedules)}


def _interval(duration: timedelta) -> str:
    return f"{round(duration / timedelta(milliseconds=1))} milliseconds"
