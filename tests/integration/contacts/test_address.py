import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import connection, transaction

from contacts import following
from contacts.actions import ContactRequest, delete_contact, identify, merge_contacts, resolve_contacts
from contacts.actions.address import AddressTakenError, ContactGoneError, change_address
from contacts.actions.conflicts import resolve_conflict
from contacts.definitions import Change
from contacts.models import Contact, ContactKey, KeyConflict
from contacts.queries import contact_by_key
from contacts.rules import keys_of
from hogsend.api.writes import written
from tests.people import ada, ben, cleo, dora

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEARD: list[Change] = []


def contacts_changed(changes, *, now) -> None:
    """This module follows people while its tests run."""
    HEARD.extend(changes)


@pytest.fixture
def heard(settings) -> list[Change]:
    settings.HOGSEND_CONTACT_FOLLOWERS = [*settings.HOGSEND_CONTACT_FOLLOWERS, __name__]
    HEARD.clear()
    following._load.cache_clear()
    return HEARD


def changed(contact: Contact, email: str) -> bool:
    return written(partial(change_address, contact_id=contact.pk, email=email, now=NOW))


def email_of(contact: Contact) -> str | None:
    contact.refresh_from_db()
    return contact.email


def keys(contact: Contact) -> set[str]:
    return set(ContactKey.objects.filter(contact=contact).values_list("value", flat=True))


@pytest.mark.django_db
def test_a_new_address_is_where_mail_goes_and_the_old_one_stays_a_key():
    known = ada()
    assert changed(known, " New@Example.com ")
    assert email_of(known) == "new@example.com"
    assert keys(known) == {"ada", "ada@example.com", "new@example.com"}


@pytest.mark.django_db
def test_a_former_address_becomes_the_present_one_again():
    known = ada()
    changed(known, "new@example.com")
    assert changed(known, "ada@example.com")
    assert email_of(known) == "ada@example.com"


@pytest.mark.django_db
def test_somebody_without_an_address_gets_one():
    visitor = cleo()
    changed(visitor, "cleo@example.com")
    assert contact_by_key(kind="email", value="cleo@example.com") == visitor


@pytest.mark.django_db
def test_the_address_somebody_has_already_changes_nothing():
    known = ada()
    before = known.updated_at
    assert not changed(known, "ada@example.com")
    assert (email_of(known), known.updated_at) == ("ada@example.com", before)


@pytest.mark.django_db
@pytest.mark.parametrize("other", [ben, dora], ids=["an address alone", "somebody known"])
def test_an_address_of_somebody_else_is_refused_and_names_them(other):
    known, owner = ada(), other()
    with pytest.raises(AddressTakenError) as refused:
        changed(known, owner.email or "")
    assert refused.value.owner_id == owner.pk
    assert (email_of(known), contact_by_key(kind="email", value=owner.email or "")) == ("ada@example.com", owner)


@pytest.mark.django_db
def test_a_former_address_of_somebody_else_is_refused_too():
    known, owner = ada(), dora()
    changed(owner, "later@example.com")
    with pytest.raises(AddressTakenError):
        changed(known, "dora@example.com")


@pytest.mark.django_db
def test_the_address_of_who_was_deleted_is_free():
    known, gone = ada(), ben()
    delete_contact(contact_id=gone.pk, now=NOW)
    assert changed(known, "ben@example.com")
    assert contact_by_key(kind="email", value="ben@example.com") == known


@pytest.mark.django_db
def test_the_merged_and_the_deleted_get_no_address():
    known, visitor = ada(), cleo()
    merge_contacts(survivor_id=known.pk, absorbed_id=visitor.pk, actor="staff", now=NOW)
    with pytest.raises(ContactGoneError):
        changed(visitor, "new@example.com")
    delete_contact(contact_id=known.pk, now=NOW)
    with pytest.raises(ContactGoneError):
        changed(known, "new@example.com")
    assert contact_by_key(kind="email", value="new@example.com") is None


@pytest.mark.django_db
def test_every_app_hears_of_a_change_and_of_nothing_else(heard):
    known, _ = ada(), ben()
    changed(known, "new@example.com")
    changed(known, "new@example.com")
    with pytest.raises(AddressTakenError):
        changed(known, "ben@example.com")
    assert heard == [Change(known.pk, created=False, door="admin")]


@pytest.mark.django_db
def test_a_conflict_that_was_looked_at_is_resolved_once():
    one, two = ada(), dora()
    found = KeyConflict.objects.create(
        contact=one, other=two, kind="email", value="dora@example.com", first_seen_at=NOW, last_seen_at=NOW
    )
    assert resolve_conflict(conflict_id=found.pk, now=NOW)
    assert not resolve_conflict(conflict_id=found.pk, now=NOW.replace(day=2))
    found.refresh_from_db()
    assert (found.resolved_at, contact_by_key(kind="email", value="dora@example.com")) == (NOW, two)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls from as many threads, each with a connection of its own; a refusal is an outcome, too."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            gate.wait(timeout=10)
            return call()
        except (AddressTakenError, ContactGoneError) as refused:
            return type(refused)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def owners(email: str) -> list[Contact]:
    return list(Contact.objects.filter(email=email, deleted_at=None))


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_one_address_at_once_one_gets_it():
    known, other, visitor = ada(), dora(), cleo()
    outcomes = at_once(*(partial(changed, one, "new@example.com") for one in (known, other, visitor)))
    assert sorted(map(str, outcomes)) == sorted(map(str, [True, AddressTakenError, AddressTakenError]))
    assert [one.pk for one in owners("new@example.com")] == [contact_by_key(kind="email", value="new@example.com").pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_two_who_want_each_others_address_at_once_both_keep_theirs(attempt):
    known, other = ada(), dora()
    outcomes = at_once(partial(changed, known, "dora@example.com"), partial(changed, other, "ada@example.com"))
    assert outcomes == [AddressTakenError, AddressTakenError]
    assert (email_of(known), email_of(other)) == ("ada@example.com", "dora@example.com")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_an_address_that_arrives_with_an_event_meanwhile_belongs_to_one_person(attempt):
    known = ada()
    at_once(
        partial(changed, known, "new@example.com"),
        partial(written, partial(identify, keys=keys_of(user_id="eve", email="new@example.com"), now=NOW)),
        partial(written, partial(identify, keys=keys_of(email="new@example.com"), now=NOW)),
    )
    [owner] = owners("new@example.com")
    assert contact_by_key(kind="email", value="new@example.com") == owner


def while_it_waits(first: Callable[[], object], second: Callable[[], object]) -> object:
    """Run ``second`` in a thread while ``first`` is done but not committed; commit once it waits; return its outcome."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            outcome = pool.submit(at_once, second)
            deadline = time.monotonic() + 20
            while not waiting() and not outcome.done() and time.monotonic() < deadline:
                time.sleep(0.01)
        [said] = outcome.result(timeout=20)
    return said


def waiting() -> bool:
    """Whether a connection waits for a lock that another one holds."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where not granted)")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_who_is_merged_meanwhile_gets_no_address():
    known, visitor = ada(), cleo()
    merge = partial(merge_contacts, survivor_id=known.pk, absorbed_id=visitor.pk, actor="staff", now=NOW)
    assert while_it_waits(merge, partial(changed, visitor, "new@example.com")) is ContactGoneError
    assert contact_by_key(kind="email", value="new@example.com") is None


@pytest.mark.django_db(transaction=True)
def test_an_address_that_becomes_a_further_key_of_somebody_meanwhile_is_theirs():
    known, other = ada(), dora()
    event = ContactRequest(keys=keys_of(user_id="dora", email="new@example.com"))
    outcome = while_it_waits(partial(resolve_contacts, [event], now=NOW), partial(changed, known, "new@example.com"))
    assert outcome is AddressTakenError
    assert (email_of(known), contact_by_key(kind="email", value="new@example.com")) == ("ada@example.com", other)


@pytest.mark.django_db(transaction=True)
def test_who_owns_an_address_that_is_merged_away_meanwhile_is_asked_for_again():
    known, owner, third = ada(), ben(), dora()
    merge = partial(merge_contacts, survivor_id=third.pk, absorbed_id=owner.pk, actor="staff", now=NOW)
    outcome = while_it_waits(merge, partial(changed, known, "ben@example.com"))
    assert outcome is AddressTakenError
    assert contact_by_key(kind="email", value="ben@example.com") == third
