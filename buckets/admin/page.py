"""What a bucket's page tells beside the bucket itself: how it moves, what it feeds, and who came and went."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Sum

from buckets.admin.state import share_of
from buckets.admin.survey import first_day
from buckets.chart import Chart, chart
from buckets.definitions import Bucket
from buckets.history import Point, history
from buckets.members import count_members
from buckets.models import Backfill, BackfillStatus, BucketDay, BucketMembership, Verification
from buckets.overview import journeys_fed
from buckets.reactions import Reaction
from buckets.rules import Transition, event_name
from conditions.durations import in_words
from events.definitions import Listener

PERIODS = (30, 90)
NEWEST = 20
LAST = 5
SOON = timedelta(days=1)
MANY = 10_000
# For each schedule when the next stay is due, and how many are before long: counted no further than it is read.
DUE = """
    select l.label, first.due_at, soon.n
    from unnest(%s::text[]) l(label)
    left join lateral (select d.due_at from buckets_dwelldue d where d.bucket_id = %s and d.label = l.label
                       order by d.due_at limit 1) first on true
    cross join lateral (
        select count(*) as n from (
            select 1 from buckets_dwelldue d
            where d.bucket_id = %s and d.label = l.label and d.due_at <= %s limit %s) counted) soon"""


@dataclass(frozen=True, slots=True)
class Growth:
    """How a bucket has moved in some days, drawn and in numbers."""

    days: int
    points: list[Point]
    chart: Chart
    change: int
    joined: int
    left: int
    average_stay: timedelta | None

    @property
    def newest_first(self) -> list[Point]:
        """The days, today first."""
        return self.points[::-1]


@dataclass(frozen=True, slots=True)
class FedJourney:
    """A journey that a transition of the bucket starts; ``waits`` says that it is for stays that last."""

    journey: Listener
    when: str
    waits: bool
    due_at: datetime | None
    due_soon: int

    @property
    def soon(self) -> str:
        """Say how many are due before long."""
        return f"more than {MANY:,}" if self.due_soon > MANY else f"{self.due_soon:,}"


def growth(bucket_id: str, *, now: datetime, days: int) -> Growth:
    """Return how a bucket has moved in the last ``days``, today included."""
    since = first_day(now.date(), days)
    points = history(bucket_id, since=since, until=now.date())
    stays = BucketDay.objects.filter(bucket_id=bucket_id, day__gte=since).aggregate(
        seconds=Sum("stayed_seconds"), left=Sum("left")
    )
    first = points[0]
    return Growth(
        days=days,
        points=points,
        chart=chart(points),
        change=points[-1].size - (first.size - first.entered + first.left),
        joined=sum(point.entered for point in points),
        left=sum(point.left for point in points),
        average_stay=timedelta(seconds=round(stays["seconds"] / stays["left"])) if stays["left"] else None,
    )


def fed_by(bucket: Bucket, *, now: datetime) -> list[FedJourney]:
    """Return the journeys that the bucket starts, and of those that wait for long stays how many are due."""
    reactions = {reaction.journey_id(bucket.id): reaction for reaction in bucket.reactions}
    due = _due(bucket, now)
    found = []
    for fed in journeys_fed(bucket):
        reaction = reactions.get(fed.journey.id)
        label = reaction.schedule.label if reaction and reaction.schedule else ""
        due_at, soon = due.get(label, (None, 0))
        when = _when(reaction) if reaction else _heard(bucket, fed.trigger)
        found.append(FedJourney(fed.journey, when, bool(label), due_at, soon))
    return found


def recent(bucket_id: str) -> dict[str, Any]:
    """Return the last backfills and verifications, and the newest who joined and who left."""
    stays = BucketMembership.objects.filter(bucket_id=bucket_id)
    backfills = list(Backfill.objects.filter(bucket_id=bucket_id).order_by("-created_at")[:LAST])
    return {
        "backfills": [(row, share_of(row)) for row in backfills],
        "running": next((row for row in backfills if row.status == BackfillStatus.RUNNING), None),
        "verifications": list(Verification.objects.filter(bucket_id=bucket_id).order_by("-started_at")[:LAST]),
        "came": _with_people(stays.order_by("-entered_at")),
        "went": _with_people(stays.filter(left_at__isnull=False).order_by("-left_at")),
        "size": count_members(bucket_id),
    }


def _with_people(stays: QuerySet[BucketMembership]) -> list[BucketMembership]:
    return list(stays.select_related("contact").defer("contact__properties")[:NEWEST])


def _heard(bucket: Bucket, trigger: str) -> str:
    said = "joins" if trigger in {bucket.entered, event_name(Transition.ENTERED)} else "leaves"
    return f"when somebody {said}" if trigger in {bucket.entered, bucket.left} else f"when somebody {said} any bucket"


def _when(reaction: Reaction) -> str:
    if reaction.schedule is not None:
        offset = in_words(reaction.schedule.offset)
        return f"every {offset} of a stay" if reaction.schedule.repeats else f"{offset} after joining"
    if reaction.kind == "enter":
        return "when somebody joins for the first time" if reaction.first_entry_only else "when somebody joins"
    return _leaving(reaction) if reaction.reasons else "when somebody leaves"


def _leaving(reaction: Reaction) -> str:
    said = {"criteria": "the criteria turn false", "maxDwell": "the longest stay ends"}
    return f"when somebody leaves because {' or '.join(said[one] for one in sorted(reaction.reasons))}"


def _due(bucket: Bucket, now: datetime) -> dict[str, tuple[datetime | None, int]]:
    labels = [schedule.label for schedule in bucket.schedules]
    if not labels:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(DUE, [labels, bucket.id, bucket.id, now + SOON, MANY + 1])
        return {label: (due_at, count) for label, due_at, count in cursor.fetchall()}
