"""An event comes at the very moment at which a run begins to wait for it."""

import json
import random
import threading
import time

import pytest

from contacts.models import Contact, ContactKey
from contacts.rules import EXTERNAL, Keys
from events.submission import Submission
from events.submit import run as submit
from hogsend.authoring import days, journey, prop
from hogsend.lib.ids import new_id
from journeys.models import EventWaiter, JourneyRun, RunStatus, Wakeup
from journeys.runtime import advance_due
from tests.integration.events.test_together import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]

PEOPLE = 60


@pytest.fixture
def people(world) -> list[Contact]:
    made = [world.person(f"p{number}") for number in range(PEOPLE)]
    ContactKey.objects.bulk_create(ContactKey(kind=EXTERNAL, value=one.external_id, contact=one) for one in made)
    return made


def happens(key: str, name: str, **properties: object) -> None:
    told = {"properties": properties, "properties_json": json.dumps(properties)}
    submit([Submission(id=new_id(), name=name, keys=Keys(key), **told)])


def test_no_event_is_lost_between_looking_and_waiting(people, facts):
    """Each payment comes once, at a random moment around that of waiting for it; none may be missed or taken twice."""

    @journey(id="waits", trigger="go")
    def waits(user, ctx):
        for number in range(3):
            came = ctx.wait_for_event("paid", timeout=days(3), lookback=days(1), where=prop("n").eq(number))
            facts.calls.append((user.id, number, came.properties))

    finished = threading.Event()

    def work(number: int) -> None:
        rnd = random.Random(number)
        while number < 2 and not finished.is_set():
            advance_due(limit=5)
        for person in people[number - 2 :: 3] if number >= 2 else ():
            happens(person.external_id, "go")
            for step in range(3):
                time.sleep(rnd.uniform(0, 0.01))
                happens(person.external_id, "paid", n=step)
        if number == 2:
            finished.set()

    at_once(work, 5)
    while advance_due(limit=50):
        pass

    assert list(JourneyRun.objects.values_list("status", flat=True)) == [RunStatus.COMPLETED] * PEOPLE
    assert {(who, n, p["n"]) for who, n, p in facts.calls} == {(f"p{i}", n, n) for i in range(PEOPLE) for n in range(3)}
    assert (EventWaiter.objects.count(), Wakeup.objects.count()) == (0, 0)
