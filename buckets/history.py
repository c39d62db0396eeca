"""How a bucket has grown and shrunk: from the days that were counted, and what has moved since."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from contacts.pipeline import array, pipeline

# A move may be committed a while after the moment that it is dated by: a day that has been over for so long is final.
FINAL_AFTER = timedelta(minutes=10)
Period = Literal["day", "week", "month"]
# Nothing is counted while nobody moves: the size is that of the last day that was.
HISTORY = """
    select date_trunc(%s, d.day)::date, coalesce(sum(counted.entered), 0)::bigint,
           coalesce(sum(counted.left), 0)::bigint, coalesce((array_agg(counted.size order by d.day desc))[1], 0)
    from generate_series(%s::timestamp, %s::timestamp, interval '1 day') d(day)
    left join lateral (
        select c.size, case when c.day = d.day::date then c.entered end as entered,
               case when c.day = d.day::date then c.left end as left
        from buckets_bucketday c where c.bucket_id = %s and c.day <= d.day::date
        order by c.day desc limit 1) counted on true
    group by 1 order by 1"""
# The days that are final, the moves since then, and the stays that go on.
TOTALS = """
    select b.id, stay.n, final.entered + came.n, final.left + gone.n,
           final.stayed + gone.stayed + stay.stayed, final.left + gone.n + stay.n
    from unnest(%s::text[]) b(id)
    cross join (select %s::timestamptz as now) p
    cross join lateral (
        select coalesce(date_trunc('day', (select c.counted_at from buckets_bucketday c where c.bucket_id = b.id
                                           order by c.day desc limit 1) - %s::interval, 'UTC'),
                        '-infinity') as at offset 0) since
    cross join lateral (
        select coalesce(sum(c.entered), 0) as entered, coalesce(sum(c.left), 0) as left,
               coalesce(sum(c.stayed_seconds), 0) as stayed
        from buckets_bucketday c
        where c.bucket_id = b.id and isfinite(since.at) and c.day < (since.at at time zone 'UTC')::date offset 0) final
    cross join lateral (
        select count(*) as n from buckets_bucketmembership m
        where m.bucket_id = b.id and m.entered_at >= since.at offset 0) came
    cross join lateral (
        select count(*) as n, coalesce(sum(extract(epoch from m.left_at - m.entered_at)), 0) as stayed
        from buckets_bucketmembership m
        where m.bucket_id = b.id and m.left_at is not null and m.left_at >= since.at offset 0) gone
    cross join lateral (
        select count(*) as n,
               coalesce(sum(extract(epoch from greatest(p.now - m.entered_at, interval '0'))), 0) as stayed
        from buckets_bucketmembership m where m.bucket_id = b.id and m.status = 'active' offset 0) stay"""


@dataclass(frozen=True, slots=True)
class Point:
    """What a day, a week or a month did to a bucket, and how many were in at its end."""

    start: date
    entered: int
    left: int
    size: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What has become of a bucket by now; the average is over all stays, those that go on included."""

    size: int = 0
    entered: int = 0
    left: int = 0
    average_stay: timedelta | None = None


def history(bucket_id: str, *, since: date, until: date, period: Period = "day") -> list[Point]:
    """Return a point for each period from the day of ``since`` to that of ``until``, both within, without a gap.

    Days are those of UTC, and weeks begin on Mondays. A period that begins before ``since`` counts from there. Moves of
    the last moments are missing until ``count_days`` has seen them. The caller bounds how long the time may be.
    """
    with pipeline() as pipe:
        rows = pipe.send(HISTORY, [period, _day(since), _day(until), bucket_id]).fetchall()
    return [Point(*row) for row in rows]


def totals(bucket_ids: Collection[str], *, now: datetime) -> dict[str, Totals]:
    """Return by bucket how many are in, and how many have ever come and gone, up to this moment.

    Who was erased from days that are final is still counted there.
    """
    with pipeline() as pipe:
        rows = pipe.send(TOTALS, [array(sorted(set(bucket_ids))), now, FINAL_AFTER]).fetchall()
    return {
        bucket_id: Totals(
            size, int(entered), int(left), timedelta(seconds=round(float(stayed / stays), 6)) if stays else None
        )
        for bucket_id, size, entered, left, stayed, stays in rows
    }


def _day(moment: date) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment
