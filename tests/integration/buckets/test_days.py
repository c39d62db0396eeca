"""What days did to a bucket, against what its stays say when they are simply read."""

import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction

from buckets.actions.days import COUNT, count_days
from buckets.definitions import Bucket, registry
from buckets.history import FINAL_AFTER, TOTALS, Point, Totals, history, totals
from buckets.models import BucketDay, BucketMembership
from conditions.property import prop
from contacts.models import Contact

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)  # a Wednesday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def bucket() -> Bucket:
    with registry.scratch():
        yield Bucket("b", name="B", criteria=prop("plan").eq("trial"))


def people(number: int) -> list[Contact]:
    return Contact.objects.bulk_create(
        Contact(external_id=f"p{n}", first_seen_at=NOW, last_seen_at=NOW) for n in range(number)
    )


def comes(contact: Contact, at: datetime, bucket_id: str = "b") -> None:
    BucketMembership.objects.create(contact=contact, bucket_id=bucket_id, source="event", entered_at=at)


def goes(contact: Contact, at: datetime, bucket_id: str = "b") -> None:
    stays = BucketMembership.objects.filter(contact=contact, bucket_id=bucket_id, status="active")
    assert stays.update(status="left", left_at=at, leave_reason="criteria") == 1


def counted() -> dict[date, tuple[int, int, int, int]]:
    rows = BucketDay.objects.filter(bucket_id="b").values_list("day", "entered", "left", "stayed_seconds", "size")
    return {day: tuple(more) for day, *more in rows}


@dataclass
class Story:
    """Random people come and go, and are remembered."""

    people: list[Contact]
    dice: random.Random
    now: datetime
    stays: list[list[datetime | None]] = field(default_factory=list)
    inside: dict[int, list[datetime | None]] = field(default_factory=dict)

    def goes_on(self) -> None:
        self.now += timedelta(seconds=self.dice.choice([1, 60, 3600, 20_000, 50_000, 400_000]))
        who = self.dice.randrange(len(self.people))
        if who in self.inside:
            goes(self.people[who], self.now)
            self.inside.pop(who)[1] = self.now
        else:
            comes(self.people[who], self.now)
            stay = self.inside[who] = [self.now, None]
            self.stays.append(stay)

    def of(self, since: date, until: date) -> tuple[int, int, int]:
        """Read from memory who came and went within days, and how many were in at their end."""
        came = sum(since <= stay[0].date() <= until for stay in self.stays)
        gone = sum(stay[1] is not None and since <= stay[1].date() <= until for stay in self.stays)
        size = sum(stay[0].date() <= until and (stay[1] is None or stay[1].date() > until) for stay in self.stays)
        return came, gone, size

    def average(self) -> timedelta | None:
        lengths = [(stay[1] or self.now) - stay[0] for stay in self.stays]
        return sum(lengths, timedelta(0)) / len(lengths) if lengths else None


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(8))
def test_the_days_are_what_the_stays_say(bucket, seed):
    dice = random.Random(seed)
    story = Story(people(6), dice, NOW)
    for _ in range(60):
        story.goes_on()
        if dice.random() < 0.3:
            count_days(bucket, now=story.now + dice.choice([timedelta(0), HOUR / 2]))
    last = story.now.date()
    known = totals(["b"], now=story.now)["b"]
    assert (known.entered, known.left, known.size) == story.of(TODAY, last)
    assert abs(known.average_stay - story.average()) < timedelta(seconds=2)

    count_days(bucket, now=story.now)

    days = [TODAY - DAY + n * DAY for n in range((last - TODAY).days + 2)]
    assert history("b", since=days[0], until=last) == [Point(day, *story.of(day, day)) for day in days]
    for day, row in counted().items():
        assert (*row[:2], row[3]) == story.of(day, day)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("period", "begin"), [("week", lambda d: d - d.weekday() * DAY), ("month", lambda d: d.replace(day=1))]
)
def test_weeks_and_months_are_put_together_from_days_and_have_no_gap(bucket, period, begin):
    story = Story(people(6), random.Random(5), NOW)
    while story.now < NOW + 80 * DAY:
        story.goes_on()
    count_days(bucket, now=story.now)
    since, until = TODAY + 3 * DAY, TODAY + 95 * DAY

    points = history("b", since=since, until=until, period=period)

    days = [since + n * DAY for n in range((until - since).days + 1)]
    groups = {start: [day for day in days if begin(day) == start] for start in map(begin, days)}
    assert points == [Point(start, *story.of(group[0], group[-1])) for start, group in groups.items()]


@pytest.mark.django_db
def test_a_day_tells_who_came_who_went_how_long_they_stayed_and_how_many_are_in(bucket):
    one, two, three = people(3)
    comes(one, NOW - 2 * DAY)
    comes(two, NOW - HOUR)
    goes(one, NOW - HOUR)
    comes(three, NOW)
    assert count_days(bucket, now=NOW) == 3
    assert counted() == {
        TODAY - 2 * DAY: (1, 0, 0, 1),
        TODAY - DAY: (0, 0, 0, 1),
        TODAY: (2, 1, round((2 * DAY - HOUR).total_seconds()), 2),
    }


@pytest.mark.django_db
def test_counting_twice_is_counting_once_and_quiet_buckets_are_left_alone(bucket):
    (one,) = people(1)
    comes(one, NOW)
    count_days(bucket, now=NOW)
    before = counted()
    assert count_days(bucket, now=NOW + FINAL_AFTER) == 1
    assert count_days(bucket, now=NOW + FINAL_AFTER + timedelta(seconds=1)) == 1
    assert count_days(bucket, now=NOW + 2 * FINAL_AFTER) == 0
    assert count_days(bucket, now=NOW + 9 * DAY) == 0
    assert counted() == before


@pytest.mark.django_db
def test_a_bucket_without_stays_has_no_days(bucket):
    assert count_days(bucket, now=NOW) == 0
    assert history("b", since=TODAY, until=TODAY) == [Point(TODAY, 0, 0, 0)]
    assert totals(["b", "c"], now=NOW) == {"b": Totals(), "c": Totals()}


@pytest.mark.django_db
def test_yesterday_is_finished_with_what_came_after_its_last_count(bucket):
    one, two = people(2)
    midnight = datetime(2026, 3, 12, tzinfo=UTC)
    comes(one, NOW)
    count_days(bucket, now=midnight - timedelta(minutes=1))
    comes(two, midnight - timedelta(seconds=1))
    assert count_days(bucket, now=midnight + timedelta(minutes=1)) == 2
    assert counted() == {TODAY: (2, 0, 0, 2), TODAY + DAY: (0, 0, 0, 2)}


@pytest.mark.django_db
def test_what_is_committed_after_midnight_still_belongs_to_the_day_it_is_dated_by(bucket):
    one, two = people(2)
    midnight = datetime(2026, 3, 12, tzinfo=UTC)
    comes(one, NOW)
    count_days(bucket, now=midnight + timedelta(seconds=10))
    comes(two, midnight - timedelta(seconds=1))
    count_days(bucket, now=midnight + timedelta(seconds=70))
    assert counted()[TODAY] == (2, 0, 0, 2)


@pytest.mark.django_db
def test_days_that_nobody_counted_are_caught_up(bucket):
    one, two = people(2)
    comes(one, NOW)
    count_days(bucket, now=NOW)
    goes(one, NOW + 3 * DAY)
    comes(two, NOW + 5 * DAY)
    assert count_days(bucket, now=NOW + 5 * DAY) == 6
    sizes = [point.size for point in history("b", since=TODAY, until=TODAY + 6 * DAY)]
    assert sizes == [1, 1, 1, 0, 0, 1, 1]


@pytest.mark.django_db
def test_each_bucket_is_counted_for_itself(bucket):
    one, two = people(2)
    comes(one, NOW)
    comes(two, NOW - DAY, "other")
    comes(one, NOW, "other")
    count_days(bucket, now=NOW)
    assert counted() == {TODAY: (1, 0, 0, 1)}
    assert {name: total.entered for name, total in totals(["b", "other"], now=NOW).items()} == {"b": 1, "other": 2}


@pytest.mark.django_db
def test_totals_are_true_before_anybody_has_counted(bucket):
    one, two = people(2)
    comes(one, NOW - 3 * HOUR)
    goes(one, NOW - 2 * HOUR)
    comes(two, NOW - 2 * HOUR)
    assert totals(["b"], now=NOW) == {"b": Totals(1, 2, 1, timedelta(hours=1, minutes=30))}


@pytest.mark.django_db
def test_the_time_may_be_given_in_moments(bucket):
    (one,) = people(1)
    comes(one, NOW)
    count_days(bucket, now=NOW)
    east = NOW.replace(hour=2).astimezone(tz=None)
    assert history("b", since=east, until=NOW) == [Point(TODAY, 1, 0, 1)]


@pytest.mark.django_db(transaction=True)
def test_two_who_count_at_once_do_not_count_twice(bucket):
    crowd = people(40)
    for n, contact in enumerate(crowd):
        comes(contact, NOW - n * HOUR)
    together = threading.Barrier(4)
    done: list[int] = []

    def count() -> None:
        try:
            together.wait(10)
            done.append(count_days(bucket, now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert [point.size for point in history("b", since=TODAY - DAY, until=TODAY)] == [27, 40]


CROWD = """
    insert into contacts_contact (id, external_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
    select gen_random_uuid(), 'c' || n, '{}', now(), now(), now(), now() from generate_series(1, 2000) n"""
LONG_AGO = """
    insert into buckets_bucketmembership
        (id, contact_id, bucket_id, status, entry_number, source, entered_at, left_at, leave_reason)
    select gen_random_uuid(), c.id, 'b', 'left', 1, 'event', at, at + interval '1 hour', 'criteria'
    from contacts_contact c cross join lateral (select %s::timestamptz - random() * interval '20 days' as at) s"""


@pytest.mark.django_db(transaction=True)
def test_counting_a_day_does_not_cost_more_with_every_day_before_it(bucket):
    comes(people(1)[0], NOW)
    costs = {COUNT: [], TOTALS: []}
    with connection.cursor() as cursor:
        cursor.execute(CROWD)
        for block in range(3):
            for _ in range(1 + 4 * block):
                cursor.execute(LONG_AGO, [NOW - 30 * DAY])
            cursor.execute("vacuum analyze buckets_bucketmembership, buckets_bucketday")
            BucketDay.objects.all().delete()
            count_days(bucket, now=NOW)
            for statement, values in ((COUNT, ["b", NOW, FINAL_AFTER]), (TOTALS, [["b"], NOW, FINAL_AFTER])):
                with transaction.atomic():
                    cursor.execute("select contacts_probe()")
                    cursor.execute(f"explain (analyze, buffers, format json) {statement}", values)
                    costs[statement].append(cursor.fetchone()[0][0]["Plan"]["Shared Hit Blocks"])
    assert BucketMembership.objects.count() > 30_000
    for seen in costs.values():
        assert seen[2] <= 1.5 * seen[0] + 10
