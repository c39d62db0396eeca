"""Processes die in the middle of a bucket's slice: nobody is lost, and nobody is told of twice."""

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from buckets.actions import begin_backfill, continue_backfill, reconcile
from buckets.definitions import Bucket, registry
from buckets.models import Backfill, BackfillStatus, BucketMembership, DwellDue, WindowEdge
from contacts.models import Contact
from events.models import Event
from hogsend.authoring import days, event
from hogsend.lib.ids import new_id

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storm, pytest.mark.timeout(180)]

NURSERY = Path(__file__).with_name("bucket_nursery.py")
ROOT = NURSERY.parents[2]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
SEED = int(os.environ.get("HOGSEND_STORM_SEED", "7"))
PEOPLE = 1500


@pytest.fixture
def bucket():
    with registry.scratch():
        registry._items.clear()
        declared = Bucket("b", name="B", criteria=event("active").exists() & event("active").within(WEEK).never())
        declared.on("dwell", lambda user, ctx: None, after=days(1))
        yield declared


@pytest.fixture
def _people():
    """People who were active once, nine days before NOW, a second apart."""
    Contact.objects.bulk_create(
        Contact(id=new_id(), external_id=f"p{number}", first_seen_at=NOW, last_seen_at=NOW, created_at=NOW)
        for number in range(PEOPLE)
    )
    Event.objects.bulk_create(
        Event(
            contact=contact,
            name="active",
            occurred_at=NOW - WEEK - timedelta(days=2) + timedelta(seconds=number),
            received_at=NOW,
        )
        for number, contact in enumerate(Contact.objects.order_by("id"))
    )


@pytest.mark.usefixtures("_people")
def test_a_clock_that_is_killed_again_and_again_moves_everybody_once(bucket: Bucket, engine_urls):
    WindowEdge.objects.create(bucket_id=bucket.id, event_name="active", window=WEEK, edge_at=NOW - timedelta(days=3))
    killed = killed_at("clock", engine_urls)
    reconcile(bucket, now=NOW)

    assert killed > 1
    assert BucketMembership.objects.filter(status="active").count() == PEOPLE
    assert Counter(Event.objects.values_list("name", flat=True))["bucket:entered:b"] == PEOPLE
    assert told_twice() == 0


@pytest.mark.usefixtures("_people")
def test_a_backfill_that_is_killed_again_and_again_judges_everybody_once(bucket: Bucket, engine_urls):
    begun = begin_backfill(bucket, now=NOW)
    killed = killed_at("backfill", engine_urls)
    while continue_backfill(begun.pk, now=NOW):
        pass

    row = Backfill.objects.get()
    assert killed > 1
    assert (row.status, row.processed, row.joined) == (BackfillStatus.DONE, PEOPLE, PEOPLE)
    assert BucketMembership.objects.filter(status="active").count() == PEOPLE


@pytest.mark.usefixtures("_people")
def test_dwells_whose_teller_is_killed_again_and_again_are_told_once(bucket: Bucket, engine_urls):
    begun = begin_backfill(bucket, now=NOW)
    while continue_backfill(begun.pk, now=NOW):
        pass
    assert DwellDue.objects.count() == PEOPLE
    killed = killed_at("dwell", engine_urls)
    reconcile(bucket, now=NOW + timedelta(days=1))

    assert killed > 1
    names = Counter(Event.objects.values_list("name", flat=True))
    assert names[f"bucket:dwell:b:{bucket.schedules[0].label}"] == PEOPLE
    assert (DwellDue.objects.count(), told_twice()) == (0, 0)


def killed_at(work: str, engine_urls: dict[str, str]) -> int:
    """Let workers do it, each of which is killed at some moment, until one finds nothing to do; return how many died."""
    url = urlsplit(engine_urls["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "hogsend.settings", "LOG_LEVEL": "error"}
    done = subprocess.run(
        [sys.executable, str(NURSERY), work, str(SEED)],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    killed, status = map(int, done.stdout.split()[-2:])
    assert status == 0, done.stderr[-2000:]
    return killed


def told_twice() -> int:
    """Count the moves that more than one event tells of."""
    rows = Event.objects.filter(name__startswith="bucket:").values_list("contact_id", "name")
    return sum(count > 1 for count in Counter(rows).values())
