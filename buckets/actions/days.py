"""Keep what each day did to a bucket."""

from datetime import datetime

from django.db import transaction

from buckets.definitions import Bucket
from buckets.history import FINAL_AFTER
from contacts.pipeline import pipeline

# From the day that was not yet final when it was counted last, or that of the first stay, up to this one. How many were
# in at the end of an earlier day is how many are in now without those who came and with those who left afterwards.
COUNT = """
    with p as (select %s::text as bucket, %s::timestamptz as now, %s::interval as final_after),
    span as (
        select date_trunc('day', coalesce(last.counted_at - p.final_after, first.at), 'UTC') as since
        from p
        left join lateral (
            select d.counted_at from buckets_bucketday d where d.bucket_id = p.bucket
            order by d.day desc limit 1) last on true
        cross join lateral (
            select m.entered_at as at from buckets_bucketmembership m where m.bucket_id = p.bucket
            order by m.entered_at limit 1) first
        cross join lateral (
            select greatest(
                (select m.entered_at from buckets_bucketmembership m where m.bucket_id = p.bucket
                 order by m.entered_at desc limit 1),
                (select m.left_at from buckets_bucketmembership m where m.bucket_id = p.bucket and m.left_at is not null
                 order by m.left_at desc limit 1)) as at) moved
        where last.counted_at is null or moved.at >= last.counted_at - p.final_after
    ),
    counted as (
        select d.start, came.n as entered, gone.n as left, gone.stayed
        from p cross join span
        cross join lateral generate_series(span.since at time zone 'UTC', p.now at time zone 'UTC', interval '1 day')
              local(start)
        cross join lateral (select local.start at time zone 'UTC' as start,
                                   (local.start + interval '1 day') at time zone 'UTC' as stop) d
        cross join lateral (
            select count(*) as n from buckets_bucketmembership m
            where m.bucket_id = p.bucket and m.entered_at >= d.start and m.entered_at < d.stop offset 0) came
        cross join lateral (
            select count(*) as n, coalesce(sum(extract(epoch from m.left_at - m.entered_at)), 0) as stayed
            from buckets_bucketmembership m
            where m.bucket_id = p.bucket and m.left_at is not null and m.left_at >= d.start and m.left_at < d.stop
            offset 0) gone
    ),
    present as (
        select stay.n from p cross join span cross join lateral (
            select count(*) as n from buckets_bucketmembership m
            where m.bucket_id = p.bucket and m.status = 'active' and span.since is not null offset 0) stay
    )
    insert into buckets_bucketday as kept (bucket_id, day, entered, "left", stayed_seconds, size, counted_at)
    select p.bucket, (c.start at time zone 'UTC')::date, c.entered, c.left, round(c.stayed),
           present.n - coalesce(sum(c.entered - c.left) over (
               order by c.start desc rows between unbounded preceding and 1 preceding), 0),
           p.now
    from counted c cross join p cross join present
    order by 2
    on conflict (bucket_id, day) do update
    set entered = excluded.entered, "left" = excluded.left, stayed_seconds = excluded.stayed_seconds,
        size = excluded.size, counted_at = excluded.counted_at
    where kept.counted_at <= excluded.counted_at
    returning day"""


def count_days(bucket: Bucket, *, now: datetime) -> int:
    """Count what this day and those that were not final did to a bucket; return how many days were written.

    The first time all days since the first stay are filled. Nothing is written while nobody moves, and repeating it
    changes nothing.
    """
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        return len(pipe.send(COUNT, [bucket.id, now, FINAL_AFTER]).fetchall())
