"""Many events of few people at once, while the clock runs: no move is lost, and none is made twice."""

import os
import random
import threading
import time
from collections import defaultdict
from datetime import timedelta

import pytest
import structlog

from buckets.actions import reconcile
from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership
from conditions.event import event
from conditions.property import prop
from conditions.tree import Person
from contacts.models import Contact
from contacts.rules import Keys
from events.models import Event
from events.submission import Answer, Submission
from events.submit import run
from hogsend.clock import database_now
from hogsend.lib.ids import new_id
from tests.integration.events.test_together import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storm, pytest.mark.timeout(180)]

SECONDS = float(os.environ.get("HOGSEND_STORM_SECONDS", "3"))
SEED = int(os.environ.get("HOGSEND_STORM_SEED", "7"))
THREADS, PEOPLE = 16, 50
SHORT = timedelta(milliseconds=400)
CRITERIA = [
    prop("plan").eq("trial"),
    event("x").at_least(3),
    event("x").within(SHORT).exists(),
    event("x").exists() & event("x").within(SHORT).never(),
    prop("plan").eq("paid") & event("y").exists(),
]


def test_sixteen_threads_and_the_clock_lose_no_move_and_make_none_twice():
    with registry.scratch():
        registry._items.clear()
        buckets = [Bucket(f"b{number}", name="B", criteria=criteria) for number, criteria in enumerate(CRITERIA)]
        for bucket in buckets:
            reconcile(bucket, now=database_now())
        end, refused, lock = time.monotonic() + SECONDS, [], threading.Lock()

        def work(number: int) -> None:
            rnd = random.Random(SEED + number)
            while time.monotonic() < end:
                if number == 0:
                    for bucket in buckets:
                        reconcile(bucket, now=database_now())
                    continue
                outcomes = run([something(rnd) for _ in range(rnd.randint(1, 8))])
                with lock:
                    refused.extend(one for one in outcomes if not isinstance(one, Answer))

        with structlog.testing.capture_logs() as lines:
            at_once(work, THREADS)
        time.sleep(SHORT.total_seconds() + 0.1)
        now = database_now()
        for bucket in buckets:
            reconcile(bucket, now=now)

        assert (refused, [line for line in lines if line["event"] == "api.retry"]) == ([], [])
        assert {bucket.id: members(bucket) for bucket in buckets} == {
            bucket.id: {contact.pk for contact in people() if bucket.criteria.is_true_of(seen(contact, now))}
            for bucket in buckets
        }
    assert moves() == stays()
    assert len(moves()) > PEOPLE


def something(rnd: random.Random) -> Submission:
    person, patch = rnd.randrange(PEOPLE), rnd.choice([None, None, {"plan": "trial"}, {"plan": "paid"}])
    keys = rnd.choice([Keys(f"u{person}"), Keys(f"u{person}", f"p{person}@example.com", None)])
    return Submission(id=new_id(), name=rnd.choice("xxyz"), keys=keys, patch=patch)


def people() -> list[Contact]:
    return list(Contact.objects.filter(deleted_at=None))


def seen(contact: Contact, now) -> Person:
    return Person(now, contact.properties, list(contact.events.values_list("name", "occurred_at")))


def members(bucket: Bucket) -> set:
    return set(BucketMembership.objects.filter(bucket_id=bucket.id, status="active").values_list("contact", flat=True))


def moves() -> dict[object, list[tuple[str, int]]]:
    """What was told of each person and bucket, in order."""
    told = defaultdict(list)
    for row in Event.objects.filter(name__startswith="bucket:").order_by("seq"):
        _, transition, bucket_id = row.name.split(":")
        told[row.contact_id, bucket_id].append((transition, row.properties["entryCount"]))
    return told


def stays() -> dict[object, list[tuple[str, int]]]:
    """What the memberships say must have been told."""
    expected = defaultdict(list)
    for stay in BucketMembership.objects.order_by("entry_number"):
        expected[stay.contact_id, stay.bucket_id].append(("entered", stay.entry_number))
        if stay.status == "left":
            expected[stay.contact_id, stay.bucket_id].append(("left", stay.entry_number))
    return expected
