"""The SQL of buckets: one statement judges people and moves those who are not where they belong."""

from datetime import timedelta
from functools import lru_cache

from buckets.definitions import Bucket
from buckets.rules import EntryLimit
from conditions.durations import interval
from conditions.tree import quoted

JUDGE = """
    with p as (select %s::timestamptz as now),
    judged as materialized (
        select c.id, coalesce(c.external_id, c.anonymous_id, c.id::text) as person,
               m.id as membership_id, m.entered_at, m.leave_due_at, p.now, ({criteria}) as belongs
        from p
        cross join unnest(%s::uuid[]) u(id)
        cross join lateral (select * from contacts_contact c
                            where c.id = u.id and c.deleted_at is null offset 0) c
        left join lateral (select m.id, m.entered_at, m.leave_due_at from buckets_bucketmembership m
                           where m.bucket_id = {bucket} and m.contact_id = c.id and m.status = 'active' offset 0) m
               on true
        order by c.id
    ),
    gone as (
        update buckets_bucketmembership m
        set status = 'left', left_at = j.now, leave_reason = 'criteria', leave_due_at = null
        from judged j
        where m.id = j.membership_id and not j.belongs and j.entered_at <= j.now - {min_dwell}
        returning m.contact_id, m.entry_number
    ),
    kept as (
        update buckets_bucketmembership m
        set leave_due_at = case when j.belongs then null else j.entered_at + {min_dwell} end
        from judged j
        where m.id = j.membership_id and (j.belongs or j.entered_at > j.now - {min_dwell})
          and j.leave_due_at is distinct from case when j.belongs then null else j.entered_at + {min_dwell} end
    ),
    came as (
        insert into buckets_bucketmembership
            (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason, max_dwell_at)
        select hogsend_uuid7(), j.id, {bucket}, 'active', 1 + before.stays, %s, j.now, '', j.now + {max_dwell}
        from judged j
        cross join lateral (select count(*) stays from buckets_bucketmembership b
                            where b.contact_id = j.id and b.bucket_id = {bucket} offset 0) before
        where j.belongs and j.membership_id is null and %s
        on conflict do nothing
        returning contact_id, entry_number
    )
    select 'left' as transition, j.id, j.person, gone.entry_number, true as announced
    from gone join judged j on j.id = gone.contact_id
    union all
    select 'entered', j.id, j.person, came.entry_number, came.entry_number = 1 or ({announced})
    from came join judged j on j.id = came.contact_id cross join p
    order by 1 desc, 2"""
LAST_LEFT = """(select max(b.left_at) from buckets_bucketmembership b
                where b.contact_id = came.contact_id and b.bucket_id = {bucket} and b.status = 'left')"""
# Who did something that has fallen out of a window since; of very many at one moment nobody is left behind.
SLICE_END = """
    select e.occurred_at from events_event e where e.name = %s and e.occurred_at >= %s and e.occurred_at < %s
    order by e.occurred_at offset %s limit 1"""
FALLEN_OUT = """
    select distinct e.contact_id from events_event e where e.name = %s and e.occurred_at >= %s and e.occurred_at < %s"""
DUE = """
    select m.contact_id from buckets_bucketmembership m
    where m.status = 'active' and m.bucket_id = %s and m.leave_due_at <= %s order by m.leave_due_at limit %s"""
EXPIRED = """
    select m.contact_id from buckets_bucketmembership m
    where m.status = 'active' and m.bucket_id = %s and m.max_dwell_at <= %s order by m.max_dwell_at limit %s"""
EXPIRE = """
    update buckets_bucketmembership m
    set status = 'left', left_at = %s, leave_reason = 'maxDwell', leave_due_at = null
    from contacts_contact c
    where m.contact_id = any(%s::uuid[]) and m.bucket_id = %s and m.status = 'active' and m.max_dwell_at <= %s
      and c.id = m.contact_id
    returning m.contact_id, coalesce(c.external_id, c.anonymous_id, c.id::text), m.entry_number"""
CLOSE = """
    update buckets_bucketmembership m set status = 'left', left_at = %s, leave_reason = %s, leave_due_at = null
    where m.contact_id = any(%s) and m.status = 'active'"""


@lru_cache(maxsize=1024)
def judge(bucket: Bucket) -> str:
    """Return the statement for one bucket; its parameters: the instant, the contacts' ids, the source, who may join."""
    own, never = quoted(bucket.id), timedelta(0)
    period = "" if bucket.entry_period is None else f"<= p.now - {interval(bucket.entry_period)}"
    announced = {
        EntryLimit.UNLIMITED: "true",
        EntryLimit.ONCE: "false",
        EntryLimit.ONCE_PER_PERIOD: f"coalesce({LAST_LEFT.format(bucket=own)} {period}, true)" if period else "true",
    }[EntryLimit(bucket.entry_limit)]
    # The criteria may hold braces and per cent signs; neither is ours to read.
    parts = {
        "bucket": own,
        "criteria": bucket.criteria.sql("p.now"),
        "min_dwell": interval(bucket.min_dwell or never),
        "max_dwell": "null::interval" if bucket.max_dwell is None else interval(bucket.max_dwell),
        "announced": announced,
    }
    return JUDGE.format(**{name: text.replace("%", "%%") for name, text in parts.items()})
