"""Promises 1 and 2 at their hardest moments: many deliverers, killed deliverers, consent withdrawn meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from contacts.actions import lock_contacts
from contacts.definitions import Erasure, Merge
from contacts.models import Contact
from emails import followers
from emails.actions import deliver_due, reclaim_lost
from emails.actions.claim import claim_due
from emails.models import EmailSend
from hogsend.lib.ids import new_id
from preferences.models import Preference

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[3]
AFTER_THE_LEASE = timedelta(minutes=5)
WORKER = """
import django
django.setup()
from emails.actions import deliver_due
from hogsend.clock import database_now
deliver_due(now=database_now())
"""


def eventually(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting_for_an_advisory_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_locks where locktype = 'advisory' and not granted"
            " and database = (select oid from pg_database where datname = current_database()))"
        )
        return cursor.fetchone()[0]


@pytest.fixture
def worker(sink, settings, engine_urls):
    """Start a deliverer as a process of its own, and kill whatever is left of it."""
    address = urlsplit(engine_urls["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {
        **os.environ,
        "DATABASE_URL": address,
        "EMAIL_URL": f"smtp://127.0.0.1:{settings.EMAIL_PORT}",
        "EMAIL_BACKEND": "",
    }
    started: list[subprocess.Popen] = []

    def worker() -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment))
        return started[-1]

    yield worker
    for process in started:
        process.kill()
        process.wait(10)


def ended(process: subprocess.Popen) -> bool:
    """A worker that ends by itself has failed; its kill will tell."""
    return process.poll() is not None


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


def test_two_deliverers_hand_over_each_of_200_messages_once(sink, queued, person, now):
    sends = copies_of(queued(), 200)
    together = threading.Barrier(2)
    counts: list[int] = []

    def deliver() -> None:
        together.wait(10)
        while done := deliver_due(now=now, limit=15):
            counts.append(done)

    for thread in [in_thread(deliver), in_thread(deliver)]:
        thread.join(60)

    assert Counter(mail["X-Hogsend-Send"] for mail in sink.mails) == Counter(sends)
    assert sum(counts) == 200
    assert set(EmailSend.objects.values_list("status", "attempts")) == {("sent", 1)}


def copies_of(send, count: int) -> list[str]:
    """Turn one queued message into ``count`` of them."""
    ids = [new_id() for _ in range(count)]
    pattern = {field.attname: getattr(send, field.attname) for field in EmailSend._meta.concrete_fields}
    EmailSend.objects.all().delete()
    EmailSend.objects.bulk_create(
        EmailSend(**{**pattern, "id": one, "headers": {"X-Hogsend-Send": str(one)}}) for one in ids
    )
    return [str(one) for one in ids]


def test_a_claim_neither_waits_for_another_nor_shares_its_rows(queued, now):
    copies_of(queued(), 5)
    others: list[Any] = []
    with transaction.atomic():
        mine = [claimed.send_id for claimed in claim_due(now=now, limit=2)]
        other = in_thread(lambda: others.extend(claimed.send_id for claimed in claim_due(now=now, limit=9)))
        other.join(10)
        assert not other.is_alive()

    assert (len(mine), len(others), len({*mine, *others})) == (2, 3, 5)


def test_consent_whose_withdrawal_is_being_committed_is_waited_for_and_obeyed(sink, queued, person, now):
    ada = person()
    send = queued(ada)
    with transaction.atomic():
        lock_contacts({ada.id})
        Preference.objects.create(contact=ada, unsubscribed_all=True)
        deliverer = in_thread(lambda: deliver_due(now=now))
        eventually(waiting_for_an_advisory_lock)
    deliverer.join(20)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("skipped", "unsubscribed")
    assert sink.came_in == []


@contextmanager
def deliverer_waiting_for(*people: Contact, now: datetime) -> Iterator[None]:
    """Hold people while a deliverer that has claimed their mail waits for them; then let it go on."""
    with transaction.atomic():
        lock_contacts({person.id for person in people})
        deliverer = in_thread(lambda: deliver_due(now=now))
        eventually(waiting_for_an_advisory_lock)
        yield
    deliverer.join(20)


def merge(survivor: Contact, absorbed: Contact, now: datetime) -> Merge:
    merge = Merge(survivor.id, absorbed.id, now)
    followers.contacts_merged(merge)
    Contact.objects.filter(id=absorbed.id).update(merged_into=survivor, deleted_at=now)
    return merge


def test_a_merge_between_claim_and_hand_over_lets_the_survivor_decide(sink, queued, person, now):
    ada, ben = person(), person("ben")
    send = queued(ben)
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    with deliverer_waiting_for(ada, ben, now=now):
        merge(ada, ben, now)

    send.refresh_from_db()
    assert (send.status, send.reason, send.contact_id, sink.came_in) == ("skipped", "unsubscribed", ada.id, [])


def test_a_merge_taken_back_between_claim_and_hand_over_lets_the_absorbed_decide(sink, queued, person, now):
    ada, ben = person(), person("ben")
    send = queued(ben)
    Preference.objects.create(contact=ben, unsubscribed_all=True)
    merged = merge(ada, ben, now)

    with deliverer_waiting_for(ada, ben, now=now):
        followers.merge_undone(merged)
        Contact.objects.filter(id=ben.id).update(merged_into=None, deleted_at=None)

    send.refresh_from_db()
    assert (send.status, send.reason, send.contact_id, sink.came_in) == ("skipped", "unsubscribed", ben.id, [])


def test_what_a_deliverer_holds_is_left_to_it_and_it_hands_nothing_over_to_the_deleted(sink, queued, person, now):
    ada = person()
    send = queued(ada)

    with deliverer_waiting_for(ada, now=now):
        followers.contacts_deleted([ada.id], now=now)
        assert EmailSend.objects.get().status == "sending"
        Contact.objects.filter(id=ada.id).update(deleted_at=now)

    send.refresh_from_db()
    assert (send.status, send.reason, sink.came_in) == ("skipped", "contact_deleted", [])


def test_an_erasure_while_a_deliverer_holds_the_mail_stops_it(sink, queued, person, now):
    ada = person()
    queued(ada)

    with deliverer_waiting_for(ada, now=now):
        followers.contacts_erased(Erasure((ada.id,), ("ada",), ("ada@example.com",), (), now))
        ada.delete()

    assert (sink.came_in, EmailSend.objects.count()) == ([], 0)


def test_a_row_taken_back_while_its_deliverer_slept_is_not_sent_by_the_sleeper(sink, queued, person, now):
    ada = person()
    send = queued(ada)
    with transaction.atomic():
        lock_contacts({ada.id})
        sleeper = in_thread(lambda: deliver_due(now=now))
        eventually(waiting_for_an_advisory_lock)
        in_thread(lambda: reclaim_lost(now=now + AFTER_THE_LEASE)).join(20)
    sleeper.join(20)

    send.refresh_from_db()
    assert (send.status, send.claim_token, sink.came_in) == ("queued", None, [])
    assert deliver_due(now=now + AFTER_THE_LEASE) == 1
    assert len(sink.accepted) == 1


def test_a_row_that_another_deliverer_took_over_is_not_sent_by_the_sleeper(sink, queued, person, now):
    ada = person()
    send = queued(ada)

    def take_over() -> None:
        reclaim_lost(now=now + AFTER_THE_LEASE)
        assert len(claim_due(now=now + AFTER_THE_LEASE, limit=1)) == 1

    with transaction.atomic():
        lock_contacts({ada.id})
        sleeper = in_thread(lambda: deliver_due(now=now))
        eventually(waiting_for_an_advisory_lock)
        in_thread(take_over).join(20)
    sleeper.join(20)

    send.refresh_from_db()
    assert (send.status, send.provider_started_at, send.attempts, sink.came_in) == ("sending", None, 2, [])


def test_a_deliverer_killed_while_the_provider_has_the_message_leaves_it_unknown(sink, queued, worker):
    send = queued(at=timezone.now() - timedelta(minutes=1))
    sink.says["DATA"] = "hang"
    process = worker()
    eventually(lambda: sink.whole.is_set() or ended(process), seconds=60)

    kill(process)

    sink.says.clear()
    later = timezone.now() + AFTER_THE_LEASE
    assert reclaim_lost(now=later) == 1
    assert deliver_due(now=later) == reclaim_lost(now=later + AFTER_THE_LEASE) == 0
    send.refresh_from_db()
    assert (send.status, send.attempts) == ("unknown", 1)
    assert len(sink.came_in) == 1


def test_a_deliverer_killed_before_the_hand_over_lets_the_message_be_sent_once_later(sink, queued, person, worker):
    ada = person()
    send = queued(ada, at=timezone.now() - timedelta(minutes=1))
    with transaction.atomic():
        lock_contacts({ada.id})
        process = worker()
        eventually(lambda: waiting_for_an_advisory_lock() or ended(process), seconds=60)
        assert list(EmailSend.objects.values_list("status", "provider_started_at")) == [("sending", None)]
        kill(process)

    later = timezone.now() + AFTER_THE_LEASE
    assert reclaim_lost(now=later) == 1
    assert deliver_due(now=later) == 1
    send.refresh_from_db()
    assert (send.status, send.attempts, len(sink.came_in)) == ("sent", 2, 1)
