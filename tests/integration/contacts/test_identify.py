from datetime import UTC, datetime

import pytest

from contacts.actions import delete_contact, identify
from contacts.models import Contact, ContactKey, KeyConflict
from contacts.queries import contact_by_id, contact_by_key
from contacts.rules import keys_of
from events.models import Event
from tests.people import ada, ben, cleo, dora

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(**names):
    patch = names.pop("patch", None)
    return identify(keys=keys_of(**names), patch=patch, now=NOW)


def test_a_new_address_of_somebody_with_a_user_id_is_where_mail_goes_and_the_old_one_stays_a_key():
    known = ada()
    told(user_id="ada", email="new@example.com")
    known.refresh_from_db()
    assert known.email == "new@example.com"
    assert contact_by_key(kind="email", value="ada@example.com") == known


def test_a_former_address_can_become_the_present_one_again():
    known = ada()
    told(user_id="ada", email="new@example.com")
    told(user_id="ada", email="ADA@example.com")
    known.refresh_from_db()
    assert known.email == "ada@example.com"


def test_an_address_of_somebody_without_a_user_id_is_taken_over_with_the_person():
    known, address = ada(), ben(city="Rome")
    found = told(user_id="ada", email="ben@example.com")
    known.refresh_from_db()
    assert (found.contact_id, found.created, found.conflicts) == (known.pk, False, ())
    assert (known.email, known.properties, contact_by_id(address.pk)) == ("ben@example.com", {"city": "Rome"}, known)


def test_an_address_of_another_known_person_stays_theirs_and_is_answered_as_a_conflict():
    known, other = ada(), dora()
    found = told(user_id="ada", email="dora@example.com")
    known.refresh_from_db()
    assert (found.contact_id, found.conflicts) == (known.pk, (("email", "dora@example.com"),))
    assert (known.email, contact_by_key(kind="email", value="dora@example.com")) == ("ada@example.com", other)
    assert KeyConflict.objects.get().seen_count == 1


def test_identified_people_merge_where_the_operator_says_so(settings):
    settings.HOGSEND_MERGE_IDENTIFIED = True
    known, other = ada(), dora()
    told(user_id="ada", email="dora@example.com")
    assert contact_by_id(other.pk) == known
    assert contact_by_key(kind="external", value="dora") == known


def test_a_user_id_joins_the_person_of_the_address():
    address = ben()
    found = told(user_id="ben", email="ben@example.com")
    address.refresh_from_db()
    assert (found.contact_id, found.created, address.external_id) == (address.pk, False, "ben")


def test_a_deleted_person_has_no_keys_and_whoever_comes_under_them_is_new():
    known = ada()
    assert delete_contact(contact_id=known.pk, now=NOW)
    known.refresh_from_db()
    assert (known.deleted_at, known.email, ContactKey.objects.count()) == (NOW, "ada@example.com", 0)
    assert told(user_id="ada").created
    assert not delete_contact(contact_id=known.pk, now=NOW)


def test_a_deletion_is_the_last_event():
    known = ada()
    delete_contact(contact_id=known.pk, now=NOW)
    assert Event.objects.get(contact=known).name == "contact.deleted"


def test_a_person_who_was_merged_is_deleted_as_the_survivor():
    known, visitor = ada(), cleo()
    told(user_id="ada", anonymous_id="cleo-visit")
    assert delete_contact(contact_id=visitor.pk, now=NOW)
    assert contact_by_id(known.pk) is None
    assert Contact.objects.filter(deleted_at=None).count() == 0
