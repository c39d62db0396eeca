"""Tables that have just been made carry no statistics; work on them must not slow down as they fill."""

import time

import pytest
from django.db import connection

from contacts.rules import Keys
from events.submission import Submission
from events.submit import run
from hogsend.lib.ids import new_id
from tests.integration.events import probes

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("contacts_contact", "contacts_contactkey", "events_event", "events_idempotencykey", "journeys_journeyrun")
BLOCKS, PEOPLE, BATCH = 5, 1000, 50


@pytest.fixture
def without_statistics():
    """Keep autovacuum away, and let the planner believe that the tables are empty."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"alter table {table} set (autovacuum_enabled = off)")
            cursor.execute(f"analyze {table}")
    yield
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"alter table {table} reset (autovacuum_enabled)")


@pytest.mark.parametrize("consumers", [[], [probes.forget_it]], ids=["told to nobody", "told to somebody"])
def test_the_fifth_thousand_of_new_people_is_as_fast_as_the_first(without_statistics, listeners, consumers):
    listeners(*consumers)
    seconds = [block(number) for number in range(BLOCKS)]
    assert seconds[-1] < 2 * max(seconds[0], 0.2), f"seconds per {PEOPLE} people: {seconds}"


def block(number: int) -> float:
    """Record an event of a thousand new people, each with three keys, and return how long it took."""
    started = time.perf_counter()
    for first in range(0, PEOPLE, BATCH):
        run([someone(number * PEOPLE + first + n) for n in range(BATCH)])
    return time.perf_counter() - started


def someone(number: int) -> Submission:
    keys = Keys(f"u{number}", f"p{number}@example.com", f"v{number}")
    return Submission(id=new_id(), name="user.created", keys=keys, idempotency_key=f"k{number}", fingerprint=b"x")
