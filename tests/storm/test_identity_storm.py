"""Sixteen threads identify, merge, change and delete the same few people: nobody is lost, doubled or stuck."""

import contextlib
import os
import random
import threading
import time
from collections import Counter

import pytest
from django.db import connection

from contacts.actions import MergeError, delete_contact, identify, merge_contacts
from contacts.models import Contact, ContactKey
from contacts.queries import contact_by_id, contact_by_key
from contacts.rules import Keys
from events.models import Event
from events.submission import Answer, Submission
from events.submit import submit_events
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.lib.ids import new_id
from journeys.models import JourneyRun
from preferences.actions import change_consent
from preferences.models import ConsentChange

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storm, pytest.mark.timeout(180)]

THREADS = 16
PEOPLE = 12
SECONDS = float(os.environ.get("HOGSEND_STORM_SECONDS", "3"))
SEED = int(os.environ.get("HOGSEND_STORM_SEED", "7"))
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"


def test_sixteen_threads_leave_no_orphan_no_deadlock_and_no_doubled_key():
    before, until = deadlocks(), time.monotonic() + SECONDS
    acts, faults, lock = Counter(), [], threading.Lock()

    def work(number: int) -> None:
        rnd = random.Random(SEED * 1000 + number)
        while time.monotonic() < until:
            verb = rnd.choices(["event", "write", "merge", "leave", "delete"], [60, 20, 8, 8, 4])[0]
            try:
                act(verb, rnd)
            except Exception as error:  # noqa: BLE001 - whatever it is fails the test, with all the others
                with lock:
                    faults.append(f"{verb}: {error!r}")
            acts[verb] += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert deadlocks() == before
    assert wrong() == []


def act(verb: str, rnd: random.Random) -> None:
    """Do one thing to somebody, as a request would."""
    now = database_now()
    if verb == "event":
        (outcome,) = submit_events([Submission(id=new_id(), name="n", keys=some_keys(rnd), patch={"n": rnd.random()})])
        assert isinstance(outcome, Answer), outcome
        return
    if verb == "write":
        keys = some_keys(rnd)
        written(lambda: identify(keys=keys, patch={"w": rnd.random()}, now=now))
        return
    first, second = some_contact(rnd), some_contact(rnd)
    if first is None or second is None:
        return
    if verb == "merge":
        with contextlib.suppress(MergeError):
            written(lambda: merge_contacts(survivor_id=first, absorbed_id=second, actor="staff", now=now))
    elif verb == "leave":
        door = ConsentChange.Door.PAGE
        written(lambda: change_consent(contact_id=first, category="news", subscribed=False, door=door, now=now))
    else:
        written(lambda: delete_contact(contact_id=first, now=now))


def some_keys(rnd: random.Random) -> Keys:
    person = rnd.randrange(PEOPLE)
    given = rnd.choice([(1, 1, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 1)])
    strange = rnd.randrange(PEOPLE) if rnd.random() < 0.1 else person
    names = (f"u{person}", f"p{strange}@example.com", f"v{person}")
    return Keys(*(name if here else None for name, here in zip(names, given, strict=True)))


def some_contact(rnd: random.Random):
    contact = contact_by_key(kind="external", value=f"u{rnd.randrange(PEOPLE)}")
    return contact.pk if contact else None


def wrong() -> list[str]:
    """List what is not as it must be once everybody is at rest."""
    found = []
    living = set(Contact.objects.filter(deleted_at=None).values_list("pk", flat=True))
    if set(ContactKey.objects.values_list("contact_id", flat=True)) - living:
        found.append("a key belongs to somebody who is gone")
    for contact in Contact.objects.filter(pk__in=living):
        columns = (("external", contact.external_id), ("email", contact.email), ("anonymous", contact.anonymous_id))
        found += [
            f"{value} is not found"
            for kind, value in columns
            if value and contact_by_key(kind=kind, value=value) != contact
        ]
    merged = dict(Contact.objects.filter(merged_into__isnull=False).values_list("pk", "merged_into"))
    for name, rows in (("event", Event.objects), ("run", JourneyRun.objects)):
        if rows.filter(contact_id__in=merged).exists():
            found.append(f"an {name} stayed with somebody who was merged")
    if any(one in living for one in merged):
        found.append("somebody was merged and lives")
    found += [
        "a chain of merges has no end"
        for one in merged
        if contact_by_id(one) is None and _ends_alive(one, merged, living)
    ]
    return found


def _ends_alive(contact_id, merged, living) -> bool:
    seen = set()
    while contact_id in merged and contact_id not in seen:
        seen.add(contact_id)
        contact_id = merged[contact_id]
    return contact_id in living


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(DEADLOCKS)
        return int(cursor.fetchone()[0])
