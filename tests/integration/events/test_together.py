"""Many at once: the same people under mixed keys, and what happens without each kind of lock."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from uuid import UUID

import pytest
import structlog
from django.conf import settings
from django.db import connection

from contacts import statements
from contacts.models import Contact, ContactKey, ContactMerge
from contacts.queries import contact_by_id
from contacts.rules import Keys
from events.models import Event
from events.submission import Answer, Submission
from events.submit import run
from hogsend.lib.ids import new_id
from tests.functions import rewritten
from tests.integration.events import probes

pytestmark = pytest.mark.django_db(transaction=True)

THREADS, PEOPLE = 16, 50
OWNERS = "perform pg_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(held) id;"
KEYS = "perform pg_advisory_xact_lock(n) from unnest(numbers) n;"
MORE = "pg_advisory_xact_lock(hashtextextended(s.id::text, 0))"


@pytest.fixture
def without_contact_locks(monkeypatch):
    assert MORE in statements.LOCK_CONTACTS
    monkeypatch.setattr(statements, "LOCK_CONTACTS", statements.LOCK_CONTACTS.replace(MORE, "null"))
    with rewritten("contacts_lock_and_read", OWNERS, ""):
        yield


@pytest.fixture
def without_any_locks(without_contact_locks):
    with rewritten("contacts_lock_and_read", KEYS, ""), rewritten("events_begin", KEYS, ""):
        yield


def at_once(work: Callable[[int], None], threads: int) -> None:
    """Run ``work(number)`` in that many threads which start together; raise what one of them raised."""
    start, errors = threading.Barrier(threads), []

    def body(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that started this one
            errors.append(error)
        finally:
            connection.close()

    running = [threading.Thread(target=body, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    if errors:
        raise errors[0]


def batches(rnd: random.Random, size: int, *, user_id_always: bool) -> list[list[Submission]]:
    """Events of 50 people under random sets of their keys, a fifth of them repeated by key, in batches of 1 to 20."""
    events = [submission(rnd, number, user_id_always=user_id_always) for number in range(size)]
    keyed = rnd.sample(range(size), size // 5)
    for position, number in enumerate(keyed):
        original = events[keyed[position // 2]]
        events[number] = Submission(
            id=new_id(),
            name=original.name,
            keys=original.keys,
            patch=original.patch,
            idempotency_key=f"k{position // 2}",
            fingerprint=b"x",
        )
    found = []
    while events:
        length = rnd.randint(1, 20)
        found.append(events[:length])
        events = events[length:]
    return found


def submission(rnd: random.Random, number: int, *, user_id_always: bool) -> Submission:
    person = rnd.randrange(PEOPLE)
    given = rnd.choice(
        [(1, 1, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0), *([] if user_id_always else [(0, 1, 1), (0, 1, 0), (0, 0, 1)])]
    )
    values = (f"u{person}", f"p{person}@example.com", f"v{person}")
    keys = Keys(*(value if here else None for value, here in zip(values, given, strict=True)))
    return Submission(id=new_id(), name="n", keys=keys, patch={f"p{number}": number})


def storm(*, user_id_always: bool, size: int = 1600) -> list[str]:
    """Send everything from 16 threads and list what is wrong afterwards."""
    todo = batches(random.Random(7), size, user_id_always=user_id_always)
    sent, outcomes, position, lock = [], [], count(), threading.Lock()

    def work(_: int) -> None:
        while (number := next(position)) < len(todo):
            answered = run(todo[number])
            with lock:
                sent.extend(todo[number])
                outcomes.extend(answered)

    with structlog.testing.capture_logs() as lines:
        at_once(work, THREADS)
    wrong = [
        f"{line['event']}: {line.get('sqlstate')}"
        for line in lines
        if line["event"] in {"events.batch_failed", "api.retry"}
    ]
    return wrong + differences(sent, outcomes, people=PEOPLE if user_id_always else None)


def living_id(contact_id: UUID) -> UUID:
    living = contact_by_id(contact_id)
    assert living is not None
    return living.pk


def differences(sent: list[Submission], outcomes: list, *, people: int | None) -> list[str]:
    wrong = [str(one) for one in outcomes if not isinstance(one, Answer)]
    stored = [
        (one, outcome)
        for one, outcome in zip(sent, outcomes, strict=True)
        if isinstance(outcome, Answer) and outcome.stored
    ]
    rows = dict(Event.objects.values_list("pk", "contact_id"))
    alive = {contact: living_id(contact) for contact in {outcome.contact_id for _, outcome in stored}}
    if rows != {one.id: alive[outcome.contact_id] for one, outcome in stored}:
        wrong.append("answers and rows differ")
    keys = [one.idempotency_key for one, _ in stored if one.idempotency_key]
    if sorted(keys) != sorted({one.idempotency_key for one in sent if one.idempotency_key}):
        wrong.append("an idempotency key was stored twice or never")
    if people is not None and Contact.objects.count() != people:
        wrong.append(f"{Contact.objects.count()} contacts")
    properties = dict(Contact.objects.values_list("pk", "properties"))
    if any(not (one.patch or {}).items() <= properties[alive[outcome.contact_id]].items() for one, outcome in stored):
        wrong.append("a patch was lost")
    told = {contact for contact, count_ in Counter(rows.values()).items() if count_ >= probes.THRESHOLD}
    reached = told if settings.HOGSEND_EVENT_CONSUMERS else set()
    if reached - {living_id(contact) for contact in probes.joined}:
        wrong.append("somebody reached the threshold and nobody saw it")
    owners = {
        (kind, value): contact for kind, value, contact in ContactKey.objects.values_list("kind", "value", "contact_id")
    }
    if any(len({owners[key] for key in one.keys.pairs()}) != 1 for one, _ in stored):
        wrong.append("keys that came together belong to two people")
    return wrong


def test_the_same_people_from_everywhere_at_once_are_created_once_and_lose_nothing(listeners):
    listeners(probes.join_at_threshold)
    assert storm(user_id_always=True) == []
    assert ContactKey.objects.count() == 3 * PEOPLE


def test_keys_that_meet_late_make_one_person_of_several_and_lose_nothing(listeners):
    listeners(probes.join_at_threshold)

    wrong = storm(user_id_always=False)

    assert wrong == []
    assert Contact.objects.filter(deleted_at=None).count() == PEOPLE
    assert ContactMerge.objects.exists()
    assert not ContactKey.objects.exclude(contact__deleted_at=None).exists()


def test_without_any_locks_the_storm_is_seen_to_go_wrong(listeners, without_any_locks):
    listeners(probes.join_at_threshold)
    assert storm(user_id_always=True, size=300)


@pytest.mark.parametrize("user_id_always", [True, False])
def test_events_that_nobody_is_told_of_hold_in_the_same_storm(user_id_always):
    assert storm(user_id_always=user_id_always) == []
    assert Contact.objects.filter(deleted_at=None).count() == PEOPLE
    assert not ContactKey.objects.exclude(contact__deleted_at=None).exists()


def test_events_that_nobody_is_told_of_are_seen_to_go_wrong_without_locks(without_any_locks):
    with rewritten("events_ingest", KEYS, ""), rewritten("events_ingest", OWNERS, ""):
        assert storm(user_id_always=True, size=300)


def thresholds_missed() -> int:
    """Let 80 people do three things at once, each under another key, and count those whose third thing nobody saw."""
    people = [Keys(f"u{n}", f"p{n}@example.com", f"v{n}") for n in range(80)]
    run([Submission(id=new_id(), name="n", keys=keys) for keys in people])
    Event.objects.all().delete()
    probes.forget()
    ways = [
        [Keys(external=keys.external) for keys in people],
        [Keys(email=keys.email) for keys in people],
        [Keys(anonymous=keys.anonymous) for keys in people],
    ]
    step = threading.Barrier(3)

    def work(way: int) -> None:
        for keys in ways[way]:
            step.wait()
            (answer,) = run([Submission(id=new_id(), name="n", keys=keys)])
            assert answer.stored

    at_once(work, 3)
    return len(people) - len(set(probes.joined))


def test_three_things_at_once_under_three_keys_are_all_counted(listeners):
    listeners(probes.join_at_threshold)
    assert thresholds_missed() == 0


def test_without_contact_locks_a_threshold_is_missed(listeners, without_contact_locks):
    listeners(probes.join_at_threshold)
    assert thresholds_missed() > 0
