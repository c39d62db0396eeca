import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client

from contacts.actions import delete_contact, identify, lock_contacts, merge_contacts
from contacts.rules import keys_of
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id
from preferences.actions import change_consent
from preferences.links import unsubscribe_url
from preferences.models import ConsentChange, Preference
from preferences.queries import consent_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls from as many threads, each with a connection of its own, released together."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            gate.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def leaving(contact, category) -> Callable[[], bool]:
    return partial(
        change_consent,
        contact_id=contact.id,
        category=category,
        subscribed=False,
        door=ConsentChange.Door.PAGE,
        now=NOW,
    )


def joining(contact, category) -> Callable[[], bool]:
    return partial(leaving(contact, category), subscribed=True)


def test_two_changes_at_once_both_survive(person):
    ada = person()

    told = at_once(leaving(ada, "news"), joining(ada, "beta"))

    assert told == [True, True]
    assert Preference.objects.get().categories == {"news": False, "beta": True}
    assert ConsentChange.objects.count() == 2


def test_many_different_changes_at_once_all_survive(person):
    ada = person()

    at_once(*(leaving(ada, f"list-{number}") for number in range(8)))

    assert Preference.objects.get().categories == {f"list-{number}": False for number in range(8)}
    assert Event.objects.count() == 8


def test_the_same_change_at_once_is_kept_and_told_once(person):
    ada = person()

    told = at_once(*[leaving(ada, "news")] * 6)

    assert sorted(told) == [False] * 5 + [True]
    assert (ConsentChange.objects.count(), Event.objects.count()) == (1, 1)


def test_one_click_posted_many_times_at_once_is_one_change(person):
    ada = person()
    url = unsubscribe_url(contact_key="ada", email="ada@example.com", category="news", send_id=None, contact_id=ada.id)

    def post() -> int:
        return Client().post(url, {"List-Unsubscribe": "One-Click"}).status_code

    assert at_once(*[post] * 5) == [200] * 5

    assert (ConsentChange.objects.count(), Event.objects.count()) == (1, 1)


def test_a_choice_that_waits_for_a_merge_goes_to_the_survivor(person):
    ada, old = person(), person(email=None, external_id="old-ada")
    merging, waiting = threading.Event(), threading.Event()

    def merge() -> None:
        with transaction.atomic():
            lock_contacts({ada.id, old.id})
            merging.set()
            assert waiting.wait(10)
            wait_until_somebody_waits_for_a_lock()
            type(old).objects.filter(id=old.id).update(merged_into=ada, deleted_at=NOW)

    def choose() -> bool:
        assert merging.wait(10)
        waiting.set()
        return leaving(old, "news")()

    assert at_once(merge, choose) == [None, True]

    assert Preference.objects.get().contact_id == ada.id


def wait_until_somebody_waits_for_a_lock() -> None:
    blocked = """
        select count(*) from pg_locks join pg_database on pg_database.oid = pg_locks.database
         where datname = current_database() and locktype = 'advisory' and not granted"""
    deadline = threading.Event()
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(blocked)
            if cursor.fetchone()[0]:
                return
        deadline.wait(0.02)
    pytest.fail("Nobody waited for the lock within ten seconds.")


def test_two_list_changes_through_two_doors_at_once_both_survive(person):
    ada = person()

    def by_event() -> bool:
        submission = Submission(id=new_id(), name="n", keys=keys_of(user_id="ada"), lists={"beta": True})
        return ingest_events([submission], now=NOW)[0].lists_error is None

    def by_write() -> bool:
        return not identify(keys=keys_of(user_id="ada"), lists={"news": False}, now=NOW).created

    assert at_once(by_event, by_write, leaving(ada, "tips")) == [True, True, True]

    assert Preference.objects.get().categories == {"beta": True, "news": False, "tips": False}


@pytest.mark.parametrize("side", ["survivor", "absorbed"])
def test_an_opt_out_and_a_merge_at_once_leave_the_survivor_opted_out(person, side):
    survivor, absorbed = person(), person(email="ben@example.com", external_id=None)
    joining(survivor, "news")()
    choosing = survivor if side == "survivor" else absorbed

    def merge() -> object:
        return merge_contacts(survivor_id=survivor.id, absorbed_id=absorbed.id, actor="test", now=NOW)

    at_once(merge, leaving(choosing, "news"), leaving(choosing, None))

    preference = Preference.objects.get()
    assert (preference.contact_id, preference.unsubscribed_all, preference.categories) == (
        survivor.id,
        True,
        {"news": False},
    )
    assert set(ConsentChange.objects.values_list("contact_id", flat=True)) == {survivor.id}


def test_an_opt_out_and_a_deletion_at_once_are_remembered_or_refused(person):
    ada = person()

    told, deleted = at_once(leaving(ada, None), partial(delete_contact, contact_id=ada.id, now=NOW))

    back = identify(keys=keys_of(email="ada@example.com"), now=NOW).contact_id
    assert deleted is True
    assert consent_of([back])[back].unsubscribed_all is told


def test_who_is_deleted_and_made_anew_at_once_stays_opted_out(person):
    ada = person()
    leaving(ada, None)()

    def come_back() -> object:
        return identify(keys=keys_of(email="ada@example.com"), now=NOW)

    at_once(partial(delete_contact, contact_id=ada.id, now=NOW), come_back, come_back)

    back = come_back().contact_id
    assert back != ada.id or Preference.objects.get(contact=ada).unsubscribed_all
    assert consent_of([back])[back].unsubscribed_all is True
