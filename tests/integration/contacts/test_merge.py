from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from contacts.actions import (
    MergeError,
    lock_and_read,
    lock_contacts,
    merge_among,
    merge_contacts,
    preview_merge,
    undo_merge,
)
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict
from contacts.queries import contact_by_id, contact_by_key
from contacts.rules import Keys, keys_of
from events.actions import emit_events
from events.definitions import NewEvent
from events.models import Event
from tests.people import SEEN, ada, ben, cleo, dora, person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def merge_owners(asked: Keys) -> None:
    """Make the owners of these keys one, as an event that brings them would."""
    merge_among(lock_and_read(asked.pairs(), NOW), asked, actor="event", now=NOW)


def merged(survivor: Contact, absorbed: Contact) -> ContactMerge:
    return merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff", now=NOW)


def did(contact: Contact, name: str) -> Event:
    [event] = emit_events([NewEvent(contact.pk, name)], now=NOW)
    return Event.objects.get(pk=event.id)


def keys(contact: Contact) -> set[tuple[str, str]]:
    return set(ContactKey.objects.filter(contact=contact).values_list("kind", "value"))


def test_the_survivor_has_the_keys_the_history_and_what_it_lacked():
    known, visitor = ada(plan="pro"), cleo(plan="free", city="Rome")
    event = did(visitor, "page.viewed")

    merged(known, visitor)

    known.refresh_from_db(), visitor.refresh_from_db(), event.refresh_from_db()
    assert keys(known) == {("external", "ada"), ("email", "ada@example.com"), ("anonymous", "cleo-visit")}
    assert (known.anonymous_id, known.properties) == ("cleo-visit", {"plan": "pro", "city": "Rome"})
    assert (visitor.merged_into, visitor.deleted_at, keys(visitor)) == (known, NOW, set())
    assert event.contact == known


def test_the_first_and_last_time_are_those_of_both():
    known, visitor = ada(), cleo()
    Contact.objects.filter(pk=visitor.pk).update(
        first_seen_at=SEEN - timedelta(days=9), last_seen_at=SEEN + timedelta(days=9)
    )
    merged(known, visitor)
    known.refresh_from_db()
    assert (known.first_seen_at, known.last_seen_at) == (SEEN - timedelta(days=9), SEEN + timedelta(days=9))


def test_a_number_that_python_cannot_hold_survives_the_merge():
    known, visitor = ada(), cleo()
    with connection.cursor() as cursor:
        cursor.execute(
            """update contacts_contact set properties = '{"n": 12345678901234567890.123456789}' where id = %s""",
            [visitor.pk],
        )
    merged(known, visitor)
    with connection.cursor() as cursor:
        cursor.execute("select properties ->> 'n' from contacts_contact where id = %s", [known.pk])
        assert cursor.fetchone() == ("12345678901234567890.123456789",)


def test_a_chain_of_merges_leads_every_key_to_the_last():
    first, second, third = cleo(), ben(), ada()
    merged(second, first)
    merged(third, second)
    found = [("anonymous", "cleo-visit"), ("email", "ben@example.com"), ("external", "ada")]
    assert {contact_by_key(kind=kind, value=value) for kind, value in found} == {third}
    assert {contact_by_id(one.pk) for one in (first, second, third)} == {third}
    assert lock_contacts([first.pk]) == {first.pk: third.pk}


def test_two_known_people_can_be_merged_by_hand():
    first, second = ada(), dora()
    merge_owners(keys_of(user_id="ada", email="dora@example.com"))
    assert not ContactMerge.objects.exists()
    KeyConflict.objects.create(
        contact=first, other=second, kind="email", value="dora@example.com", first_seen_at=NOW, last_seen_at=NOW
    )

    merged(first, second)

    assert contact_by_key(kind="external", value="dora") == first
    assert KeyConflict.objects.get().resolved_at == NOW


def test_somebody_cannot_be_merged_with_themselves_or_with_who_is_gone():
    known, visitor = ada(), cleo()
    with pytest.raises(MergeError):
        merged(known, known)
    merged(known, visitor)
    with pytest.raises(MergeError):
        merged(known, visitor)
    with pytest.raises(MergeError):
        merged(visitor, known)


def test_the_owners_of_keys_that_came_together_are_merged_into_the_known_one():
    known, address, visitor = ada(), ben(), cleo()
    asked = keys_of(user_id="ada", email="ben@example.com", anonymous_id="cleo-visit")
    merge_owners(asked)
    assert {contact_by_id(one.pk) for one in (known, address, visitor)} == {known}
    assert ContactMerge.objects.count() == 2


def test_a_preview_says_what_would_move_and_moves_nothing():
    known, visitor = ada(), cleo(city="Rome")
    did(visitor, "page.viewed")

    preview = preview_merge(survivor_id=known.pk, absorbed_id=visitor.pk, now=NOW)

    assert (preview.moved["events"], preview.survivor["properties"]) == (1, {"city": "Rome"})
    assert preview.keys == [("anonymous", "cleo-visit")]
    assert contact_by_id(visitor.pk) == visitor
    assert not ContactMerge.objects.exists()


def test_a_merge_that_is_undone_leaves_two_people_as_they_were():
    known, visitor = ada(plan="pro"), cleo(plan="free", city="Rome")
    mine, theirs = did(known, "order.completed"), did(visitor, "page.viewed")
    journal = merged(known, visitor)

    undo_merge(merge_id=journal.pk, actor="staff", now=NOW)

    known.refresh_from_db(), visitor.refresh_from_db(), mine.refresh_from_db(), theirs.refresh_from_db()
    assert keys(known) == {("external", "ada"), ("email", "ada@example.com")}
    assert keys(visitor) == {("anonymous", "cleo-visit")}
    assert (known.properties, known.anonymous_id) == ({"plan": "pro"}, None)
    assert (visitor.properties, visitor.merged_into, visitor.deleted_at) == (
        {"plan": "free", "city": "Rome"},
        None,
        None,
    )
    assert (mine.contact, theirs.contact) == (known, visitor)
    assert contact_by_key(kind="anonymous", value="cleo-visit") == visitor


def test_what_happened_after_the_merge_stays_with_the_survivor():
    known, visitor = ada(), cleo(city="Rome")
    journal = merged(known, visitor)
    later = did(known, "order.completed")
    Contact.objects.filter(pk=known.pk).update(properties={"city": "Oslo"})

    undo_merge(merge_id=journal.pk, actor="staff", now=NOW)

    known.refresh_from_db(), visitor.refresh_from_db(), later.refresh_from_db()
    assert (known.properties, visitor.properties, later.contact) == ({"city": "Oslo"}, {"city": "Rome"}, known)


def test_who_was_kept_apart_once_is_not_merged_again_by_an_event():
    known, visitor = ada(), cleo()
    undo_merge(merge_id=merged(known, visitor).pk, actor="staff", now=NOW)
    merge_owners(keys_of(user_id="ada", anonymous_id="cleo-visit"))
    assert contact_by_id(visitor.pk) == visitor


def test_merges_are_undone_from_the_last_to_the_first():
    first, second, third = cleo(), ben(), ada()
    earlier, later = merged(second, first), merged(third, second)
    with pytest.raises(MergeError):
        undo_merge(merge_id=earlier.pk, actor="staff", now=NOW)
    for journal in (later, earlier):
        undo_merge(merge_id=journal.pk, actor="staff", now=NOW)
    assert [contact_by_id(one.pk) for one in (first, second, third)] == [first, second, third]
    with pytest.raises(MergeError):
        undo_merge(merge_id=later.pk, actor="staff", now=NOW)


def test_an_address_that_became_the_survivors_own_goes_back_with_its_key():
    known, address = person(user_id="ada"), ben()
    journal = merged(known, address)
    known.refresh_from_db()
    assert known.email == "ben@example.com"
    undo_merge(merge_id=journal.pk, actor="staff", now=NOW)
    known.refresh_from_db(), address.refresh_from_db()
    assert (known.email, address.email) == (None, "ben@example.com")


def test_a_zone_that_a_person_named_wins_over_one_that_was_guessed():
    survivor, absorbed = (
        Contact.objects.create(
            external_id=name, first_seen_at=NOW, last_seen_at=NOW, timezone=zone, timezone_source=who
        )
        for name, zone, who in [("ada", "Europe/Paris", "posthog_geoip"), ("ben", "Asia/Tokyo", "user")]
    )
    merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="test", now=NOW)
    survivor.refresh_from_db()
    assert (survivor.timezone, survivor.timezone_source) == ("Asia/Tokyo", "user")
