"""All buckets at a glance, in a number of statements that does not grow with them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from buckets.admin.state import State, state_of
from buckets.chart import spark
from buckets.definitions import registry
from buckets.models import Backfill, BackfillStatus, BucketConfig

DAYS = 30
WEEK = 7
# For each bucket the days that were counted lately, and the last one before: nothing is counted while nobody moves.
COUNTED = """
    select b.id, d.day, d.entered, d."left", d.size
    from unnest(%(ids)s::text[]) b(id)
    cross join lateral (
        (select c.day, c.entered, c."left", c.size from buckets_bucketday c
         where c.bucket_id = b.id and c.day >= %(since)s)
        union all
        (select c.day, 0, 0, c.size from buckets_bucketday c
         where c.bucket_id = b.id and c.day < %(since)s order by c.day desc limit 1)) d
    order by 1, 2"""
SORTS: dict[str, Callable[["Line"], Any]] = {
    "name": lambda line: line.name.lower(),
    "size": lambda line: -1 if line.movement.size is None else line.movement.size,
    "joined": lambda line: line.movement.joined,
    "left": lambda line: line.movement.left,
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What one day did to a bucket."""

    day: date
    entered: int
    left: int
    size: int


@dataclass(frozen=True, slots=True)
class Movement:
    """How a bucket has moved lately; without a size nothing was counted yet."""

    size: int | None = None
    joined: int = 0
    left: int = 0
    spark: str = ""
    trend: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One bucket in the list."""

    id: str
    name: str
    criteria: str
    state: State
    followed_at: datetime | None
    movement: Movement


def survey(*, now: datetime) -> list[Line]:
    """Return a line for each declared bucket, whether anything is known of it or not, then for those that are gone."""
    declared = {bucket.id: bucket for bucket in registry}
    configs = {config.bucket_id: config for config in BucketConfig.objects.all()}
    running = {row.bucket_id: row for row in Backfill.objects.filter(status=BackfillStatus.RUNNING)}
    ids = [*sorted(declared, key=lambda one: declared[one].name.lower()), *sorted(set(configs) - set(declared))]
    days = _counted(ids, now.date())
    lines = []
    for bucket_id in ids:
        bucket, config = declared.get(bucket_id), configs.get(bucket_id) or BucketConfig(bucket_id=bucket_id)
        state = state_of(bucket, config, running.get(bucket_id))
        movement = _movement(days.get(bucket_id, []), now.date())
        words = bucket.belongs.in_words() if bucket else ""
        lines.append(Line(bucket_id, bucket.name if bucket else bucket_id, words, state, config.followed_at, movement))
    return lines


def arranged(lines: Iterable[Line], *, kind: str, words: str, sort: str) -> list[Line]:
    """Return the lines of one kind of state whose name or id holds the words; a minus before ``sort`` turns it."""
    wanted = words.strip().lower()
    found = [
        line
        for line in lines
        if kind in {"", line.state.kind} and (wanted in line.name.lower() or wanted in line.id.lower())
    ]
    key = SORTS.get(sort.removeprefix("-"))
    return found if key is None else sorted(found, key=key, reverse=sort.startswith("-"))


def _movement(days: list[Counted], today: date) -> Movement:
    if not days:
        return Movement()
    lately = [day for day in days if day.day > today - timedelta(days=WEEK)]
    sizes = _sizes(days, today)
    return Movement(
        size=days[-1].size,
        joined=sum(day.entered for day in lately),
        left=sum(day.left for day in lately),
        spark=spark(sizes),
        trend=f"from {sizes[0]:,} to {sizes[-1]:,} in {DAYS} days",
    )


def _sizes(days: list[Counted], today: date) -> list[int]:
    """Return the size at the end of each of the last days; a day that was not counted is like the one before."""
    by_day, sizes, since = {day.day: day.size for day in days}, [], first_day(today)
    size = days[0].size if days[0].day < since else 0
    for place in range(DAYS):
        size = by_day.get(since + timedelta(days=place), size)
        sizes.append(size)
    return sizes


def first_day(today: date, days: int = DAYS) -> date:
    """Return the first of so many days of which today is the last."""
    return today - timedelta(days=days - 1)


def _counted(ids: list[str], today: date) -> dict[str, list[Counted]]:
    found: dict[str, list[Counted]] = {}
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, {"ids": ids, "since": first_day(today)})
        for bucket_id, *day in cursor.fetchall():
            found.setdefault(bucket_id, []).append(Counted(*day))
    return found
