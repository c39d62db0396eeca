"""The SQL of buckets: one statement judges people and moves those who are not where they belong."""

from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

from buckets.definitions import Bucket
from buckets.rules import EntryLimit, Schedule
from conditions.durations import interval
from conditions.event import EventCondition
from conditions.tree import Composite, quoted

# Its parameters: the instant, the contacts' ids, the source, who may join. Staff's switch is read in the statement, so
# nobody is moved by a bucket that is off, however late the switch was thrown. Stays are found by their contact alone
# (bucket_id || ''): of a new bucket the planner believes that hardly anybody is in it, and would read everybody.
JUDGE = """
    with p as (select %s::timestamptz as now),
    judged as materialized (
        select c.id, coalesce(c.external_id, c.anonymous_id, c.id::text) as person,
               m.id as membership_id, m.entered_at, m.leave_due_at, p.now, ({belongs}) as belongs
        from p
        cross join unnest(%s::uuid[]) u(id)
        cross join lateral (select * from contacts_contact c
                            where c.id = u.id and c.deleted_at is null offset 0) c
        left join lateral (select m.id, m.entered_at, m.leave_due_at from buckets_bucketmembership m
                           where m.contact_id = c.id and m.bucket_id || '' = {bucket} and m.status = 'active'
                           offset 0) m
               on true
        where not exists (select from buckets_bucketconfig k where k.bucket_id = {bucket} and not k.enabled)
        order by c.id
    ),
    gone as (
        update buckets_bucketmembership m
        set status = 'left', left_at = p.now, leave_reason = 'criteria', leave_due_at = null
        from p
        where m.id = any(array(select j.membership_id from judged j
                               where not j.belongs and j.entered_at <= j.now - {min_dwell}))
        returning m.id, m.contact_id, m.entry_number, m.born_as
    ),
    calmed as (
        update buckets_bucketmembership m set leave_due_at = null
        where m.id = any(array(select j.membership_id from judged j where j.belongs and j.leave_due_at is not null))
    ),
    kept as (
        update buckets_bucketmembership m set leave_due_at = m.entered_at + {min_dwell}
        where m.id = any(array(select j.membership_id from judged j
                               where not j.belongs and j.entered_at > j.now - {min_dwell}
                                 and j.leave_due_at is distinct from j.entered_at + {min_dwell}))
    ),
    came as (
        insert into buckets_bucketmembership
            (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason, max_dwell_at,
             dwell_anchor_at)
        select hogsend_uuid7(), j.id, {bucket}, 'active', 1 + coalesce(before.entries, 0), %s, j.now, '',
               j.now + {max_dwell}, {anchor}
        from judged j
        cross join lateral (select max(b.entry_number) entries from buckets_bucketmembership b
                            where b.contact_id = j.id and b.bucket_id || '' = {bucket} offset 0) before
        where j.belongs and j.membership_id is null and %s
        on conflict do nothing
        returning id, contact_id, entry_number, coalesce(dwell_anchor_at, entered_at) as since
    ){more}
    select 'left' as transition, j.id, j.person, gone.entry_number, true as announced, gone.born_as
    from gone join judged j on j.id = gone.contact_id
    union all
    select 'entered', j.id, j.person, came.entry_number, came.entry_number = 1 or ({announced}), null
    from came join judged j on j.id = came.contact_id cross join p
    order by 1 desc, 2"""
LAST_LEFT = """(select max(b.left_at) from buckets_bucketmembership b
                where b.contact_id = came.contact_id and b.bucket_id || '' = {bucket} and b.status = 'left')"""
DWELLS = """,
    dwells as (
        insert into buckets_dwelldue (membership_id, bucket_id, label, due_at)
        select came.id, {bucket}, s.label, came.since + s.due from came cross join {schedules}
    ),
    undwelt as (delete from buckets_dwelldue d using gone where d.membership_id = gone.id)"""
MIRRORED = """,
    mirrored as (
        insert into buckets_mirrordue (contact_id, bucket_id, due_at, attempts, error)
        select moved.contact_id, {bucket}, p.now, 0, ''
        from p cross join (select contact_id from came union select contact_id from gone) moved
        order by 1
        on conflict (contact_id, bucket_id) do update set due_at = excluded.due_at, attempts = 0
    )"""
ANCHOR = """(select max(e.occurred_at) from events_event e where e.contact_id = j.id and e.name = {event})"""
# Of so many people after one in the order of ids: how many there are, who is the last, and who is astray. Its
# parameters: the instant, after whom, whether anybody may be found who is out, also by the end of the longest stay. How
# many stands in it, for then the planner does not look for everybody's events each time.
ASTRAY = """
    with p as (select %s::timestamptz as now),
    people as materialized (
        select * from contacts_contact c where c.id > %s and c.deleted_at is null order by c.id limit {limit}
    ),
    judged as (
        select c.id, ({belongs}) as belongs, m.id is not null as inside,
               coalesce(m.entered_at > p.now - {min_dwell}, false) as young
        from p cross join people c
        left join lateral (select m.id, m.entered_at from buckets_bucketmembership m
                           where m.contact_id = c.id and m.bucket_id || '' = {bucket} and m.status = 'active'
                           offset 0) m
               on true
    ),
    astray as (
        select j.id from judged j cross join (select %s::boolean, %s::boolean) o(may_join, may_join_again)
        where j.belongs <> j.inside and not (j.inside and j.young)
          and (j.inside or o.may_join and (o.may_join_again or coalesce((
              select b.leave_reason from buckets_bucketmembership b
              where b.contact_id = j.id and b.bucket_id || '' = {bucket}
              order by b.entered_at desc, b.id desc limit 1), '') <> 'maxDwell'))
    )
    select (select count(*) from people), (select id from people order by id desc limit 1),
           coalesce((select array_agg(id order by id) from astray), '{{}}')"""
# Who did something that has fallen out of a window since; of very many at one moment nobody is left behind.
SLICE_END = """
    select e.occurred_at from events_event e where e.name = %s and e.occurred_at >= %s and e.occurred_at < %s
    order by e.occurred_at offset %s limit 1"""
FALLEN_OUT = """
    select distinct e.contact_id from events_event e where e.name = %s and e.occurred_at >= %s and e.occurred_at < %s"""
# Whether there is anything to do; a window that was never followed has everything to do.
WINDOW_PENDING = """
    with p as (select %s::interval as overlap, %s::timestamptz as now)
    select coalesce((
        select exists (select from events_event e where e.name = w.event_name
                       and e.occurred_at >= w.edge_at - w.window - p.overlap and e.occurred_at < p.now - w.window)
        from p cross join lateral (select * from buckets_windowedge w where w.bucket_id = %s and w.event_name = %s
                                   and w.window = %s::interval offset 0) w), true)"""
# In this order, so that the planner takes the index of what is due and not the one of who is in.
SHORTEST_PENDING = """
    select (select m.leave_due_at from buckets_bucketmembership m
            where m.status = 'active' and m.bucket_id = %s and m.leave_due_at is not null
            order by m.leave_due_at limit 1) <= %s"""
LONGEST_PENDING = """
    select (select m.max_dwell_at from buckets_bucketmembership m
            where m.status = 'active' and m.bucket_id = %s and m.max_dwell_at is not null
            order by m.max_dwell_at limit 1) <= %s"""
DWELL_PENDING = """
    select exists (select from buckets_dwelldue d where d.bucket_id = %s and d.label = %s and d.due_at <= %s)"""
DUE = """
    select m.contact_id from buckets_bucketmembership m
    where m.status = 'active' and m.bucket_id = %s and m.leave_due_at <= %s order by m.leave_due_at limit %s"""
EXPIRED = """
    select m.contact_id from buckets_bucketmembership m
    where m.status = 'active' and m.bucket_id = %s and m.max_dwell_at <= %s order by m.max_dwell_at limit %s"""
EXPIRE = """
    with gone as (
        update buckets_bucketmembership m
        set status = 'left', left_at = %s, leave_reason = 'maxDwell', leave_due_at = null
        where m.contact_id = any(%s::uuid[]) and m.bucket_id = %s and m.status = 'active' and m.max_dwell_at <= %s
        returning m.id, m.contact_id, m.entry_number, m.born_as, m.left_at
    ),
    came as (select null::uuid contact_id where false),
    p as (select %s::timestamptz as now),
    undwelt as (delete from buckets_dwelldue d using gone where d.membership_id = gone.id){more}
    select gone.contact_id, coalesce(c.external_id, c.anonymous_id, c.id::text), gone.entry_number, gone.born_as
    from gone cross join lateral (select * from contacts_contact c where c.id = gone.contact_id offset 0) c"""
CLOSE = """
    with gone as (
        update buckets_bucketmembership m set status = 'left', left_at = %s, leave_reason = %s, leave_due_at = null
        where m.contact_id = any(%s) and m.status = 'active'
        returning m.id, m.contact_id, m.bucket_id, m.left_at
    ),
    undwelt as (delete from buckets_dwelldue d using gone where d.membership_id = gone.id)
    insert into buckets_mirrordue (contact_id, bucket_id, due_at, attempts, error)
    select gone.contact_id, gone.bucket_id, gone.left_at, 0, '' from gone where gone.bucket_id = any(%s) order by 1, 2
    on conflict (contact_id, bucket_id) do update set due_at = excluded.due_at, attempts = 0"""

MIRROR_AGAIN = """
    insert into buckets_mirrordue (contact_id, bucket_id, due_at, attempts, error)
    select distinct m.contact_id, m.bucket_id, %s::timestamptz, 0, '' from buckets_bucketmembership m
    where m.contact_id = any(%s) and m.bucket_id = any(%s) order by 1, 2
    on conflict (contact_id, bucket_id) do update set due_at = excluded.due_at, attempts = 0"""


@lru_cache(maxsize=1024)
def judge(bucket: Bucket, *, backfill: bool = False, schedules: tuple[Schedule, ...] = ()) -> str:
    """Return the judging statement; in a backfill a stay that lasts is counted since the last sign of life."""
    more = DWELLS.format(bucket=quoted(bucket.id), schedules=_table(schedules)) if schedules else ""
    anchor = anchor_event(bucket) if backfill else None
    parts = {
        "max_dwell": "null::interval" if bucket.max_dwell is None else interval(bucket.max_dwell),
        "announced": _announced(bucket),
        "anchor": "null::timestamptz" if anchor is None else ANCHOR.format(event=quoted(anchor)),
        "more": more + mirrored(bucket),
    }
    return _filled(JUDGE, bucket, parts)


@lru_cache(maxsize=1024)
def astray(bucket: Bucket, limit: int) -> str:
    """Return the statement that finds those who are not where they belong among the next ``limit`` people."""
    return _filled(ASTRAY, bucket, {"limit": str(limit)})


def expire(bucket: Bucket) -> str:
    """Return the statement that ends stays whose longest time is over."""
    return EXPIRE.format(more=mirrored(bucket).replace("%", "%%"))


def mirrored(bucket: Bucket) -> str:
    """Return the part of a statement that notes whose property in PostHog has to follow."""
    return MIRRORED.format(bucket=quoted(bucket.id)) if bucket.sync_to_posthog else ""


def anchor_event(bucket: Bucket) -> str | None:
    """Return the event whose last time begins a dwell of those whom a backfill finds in the bucket.

    That is the one event a bucket is about, if it has a window: alone, or done ever and not lately.
    """
    root = bucket.belongs
    parts = root.conditions if isinstance(root, Composite) and root.operator == "and" else (root,)
    leaves = [one for one in parts if isinstance(one, EventCondition)]
    names = {one.name for one in leaves}
    if len(leaves) < len(parts) or len(names) != 1 or not any(one.window for one in leaves):
        return None
    lapsed = sorted((one.check, one.window is not None) for one in leaves) == [("exists", False), ("not_exists", True)]
    return names.pop() if len(leaves) == 1 or lapsed else None


def _announced(bucket: Bucket) -> str:
    period = "" if bucket.entry_period is None else f"<= p.now - {interval(bucket.entry_period)}"
    return {
        EntryLimit.UNLIMITED: "true",
        EntryLimit.ONCE: "false",
        EntryLimit.ONCE_PER_PERIOD: (
            f"coalesce({LAST_LEFT.format(bucket=quoted(bucket.id))} {period}, true)" if period else "true"
        ),
    }[EntryLimit(bucket.entry_limit)]


def _table(schedules: Iterable[Schedule]) -> str:
    rows = ", ".join(f"({quoted(one.label)}, {interval(one.offset)})" for one in schedules)
    return f"(values {rows}) s(label, due)"


def _filled(statement: str, bucket: Bucket, parts: dict[str, str]) -> str:
    common = {
        "bucket": quoted(bucket.id),
        "belongs": bucket.belongs.sql("p.now"),
        "min_dwell": interval(bucket.min_dwell or timedelta(0)),
    }
    # The criteria may hold braces and per cent signs; neither is ours to read.
    return statement.format(**{name: text.replace("%", "%%") for name, text in {**common, **parts}.items()})
