"""Real purchases: three ways lead to the same members, and those are whom plain Python finds in the file.

Every tenth customer of the data set, 2,357 people with their purchases of 18 months, at ten moments of which the last
are long after the last purchase. Purchases are dated at noon and looked at on noon, so that windows end exactly on some.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import cdnow
import pytest

from buckets.actions import reconcile, run_backfill
from buckets.definitions import index
from buckets.models import BucketMembership
from contacts.actions import ContactRequest, resolve_contacts
from contacts.models import Contact
from contacts.rules import Keys, keys_of
from content import names
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id

pytestmark = pytest.mark.django_db

PURCHASES = cdnow.read(every=10)
IN_ORDER = sorted((moment, who) for who, moments in PURCHASES.items() for moment in moments)
START = datetime(1997, 1, 1, tzinfo=UTC)
DATES = [
    datetime(*day, 12, tzinfo=UTC)
    for day in [
        (1997, 2, 10),
        (1997, 4, 1),
        (1997, 5, 24),
        (1997, 7, 15),
        (1997, 10, 3),
        (1998, 1, 1),
        (1998, 3, 20),
        (1998, 6, 30),
        (1998, 8, 31),
        (1999, 2, 1),
    ]
]
WEEK = timedelta(days=7)
BUCKETS = [index().by_id[name] for name in cdnow.members({}, START)]


def test_real_time_and_the_clock_together() -> None:
    found, expected = [], []
    for since, date in pairwise([START, *DATES]):
        for week in weeks(since, date):
            happen(week)
            tick(week[1])
        found.append(members())
        expected.append(cdnow.members(cdnow.until(PURCHASES, date), date))
    assert found == expected
    assert_moving(found)


def test_the_clock_alone() -> None:
    """Everything is known from the start, so what is dated ahead counts, and only what falls out moves anybody."""
    exist()
    record(START - WEEK, DATES[-1])
    for bucket in BUCKETS:
        run_backfill(bucket, now=START)
    found, expected = [], []
    for date in DATES:
        tick(date)
        found.append(members())
        expected.append(cdnow.members(PURCHASES, date))
    assert found == expected
    assert set(BucketMembership.objects.exclude(entered_at=START).values_list("source", flat=True)) == {"reconcile"}


def test_backfills_alone() -> None:
    exist()
    found, expected = [], []
    for since, date in pairwise([START, *DATES]):
        record(since, date)
        for bucket in BUCKETS:
            run_backfill(bucket, now=date)
        found.append(members())
        expected.append(cdnow.members(cdnow.until(PURCHASES, date), date))
    assert found == expected
    assert set(BucketMembership.objects.values_list("source", flat=True)) == {"backfill"}


def weeks(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, min(since + WEEK, until)
        since += WEEK


def between(since: datetime, until: datetime) -> list[tuple[datetime, str]]:
    return [(moment, who) for moment, who in IN_ORDER if since < moment <= until]


def happen(span: tuple[datetime, datetime]) -> None:
    """Let people buy, with all that follows."""
    sent = [
        Submission(id=new_id(), name=names.ORDER_COMPLETED, keys=Keys(who), occurred_at=moment)
        for moment, who in between(*span)
    ]
    if sent:
        ingest_events(sent, now=span[1])


def exist() -> None:
    """Let everybody exist who ever buys."""
    resolve_contacts([ContactRequest(keys=keys_of(user_id=who)) for who in PURCHASES], now=START)


def record(since: datetime, until: datetime) -> None:
    """Store what people bought, and nothing follows."""
    people = dict(Contact.objects.values_list("external_id", "pk"))
    Event.objects.bulk_create(
        Event(contact_id=people[who], name=names.ORDER_COMPLETED, occurred_at=moment, received_at=moment)
        for moment, who in between(since, until)
    )


def tick(now: datetime) -> None:
    for bucket in BUCKETS:
        reconcile(bucket, now=now)


def members() -> dict[str, set[str | None]]:
    inside: dict[str, set[str | None]] = {bucket.id: set() for bucket in BUCKETS}
    rows = BucketMembership.objects.filter(status="active", bucket_id__in=inside)
    for bucket_id, who in rows.values_list("bucket_id", "contact__external_id"):
        inside[bucket_id].add(who)
    assert {bucket.id: bucket.count() for bucket in BUCKETS} == {name: len(people) for name, people in inside.items()}
    return inside


def assert_moving(found: list[dict[str, set[str | None]]]) -> None:
    """The dates are such that every bucket has members at some and other ones at others."""
    for bucket in BUCKETS:
        assert len({frozenset(at[bucket.id]) for at in found}) > 3, bucket.id
