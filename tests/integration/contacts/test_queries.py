from datetime import UTC, datetime

import pytest
from django.forms.models import model_to_dict

from contacts.actions import delete_contact, identify, merge_contacts, undo_merge
from contacts.models import Contact
from contacts.queries import contact_by_key, contacts_by_keys, everything_about
from contacts.rules import Keys
from tests.people import person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_who_is_found_by_a_key_is_the_row_with_all_its_columns():
    ada = person(user_id="ada", email="ada@example.com", plan="pro", seats=3)
    Contact.objects.filter(pk=ada.pk).update(timezone="Europe/Berlin", timezone_source="api")
    row, found = Contact.objects.get(pk=ada.pk), contact_by_key(kind="email", value="ada@example.com")
    assert {name: getattr(found, name) for name in columns()} == {name: getattr(row, name) for name in columns()}
    assert model_to_dict(found) == model_to_dict(row)


def test_who_is_found_by_several_keys_is_told_once_and_the_most_identifying_first():
    ada, eve = person(user_id="ada", email="ada@example.com"), person(user_id="eve", email="eve@example.com")
    found = contacts_by_keys(Keys("eve", "ada@example.com", "visit"))
    assert [one.pk for one in found] == [eve.pk, ada.pk]
    assert [one.pk for one in contacts_by_keys(Keys("ada", "ada@example.com", None))] == [ada.pk]


def test_a_key_of_somebody_merged_twice_finds_the_survivor_and_one_of_somebody_deleted_finds_nobody():
    first, second, third = (
        person(email="first@example.com"),
        person(email="second@example.com"),
        person(user_id="third"),
    )
    merge_contacts(survivor_id=second.pk, absorbed_id=first.pk, actor="staff", now=NOW)
    merge_contacts(survivor_id=third.pk, absorbed_id=second.pk, actor="staff", now=NOW)
    assert contact_by_key(kind="email", value="first@example.com").pk == third.pk

    delete_contact(contact_id=third.pk, now=NOW)
    assert contacts_by_keys(Keys("third", "first@example.com", None)) == []


def columns() -> list[str]:
    return [field.attname for field in Contact._meta.concrete_fields]


def test_the_export_tells_of_merges_that_were_taken_back_and_of_keys_that_belong_to_others():
    ada, ben = person(user_id="ada", email="ada@example.com"), person(email="ben@example.com")
    merge = merge_contacts(survivor_id=ada.pk, absorbed_id=ben.pk, actor="staff", now=NOW)
    undo_merge(merge_id=merge.pk, actor="staff", now=NOW)
    person(user_id="eve", email="eve@example.com")
    identify(keys=Keys("ada", "eve@example.com", None), now=NOW)

    told = everything_about(Contact.objects.get(pk=ada.pk))
    assert [one["undoneAt"] for one in told["merges"]] == ["2026-03-01T12:00:00.000Z"]
    assert [(one["kind"], one["value"], one["times"]) for one in told["keysOfOthers"]] == [
        ("email", "eve@example.com", 1)
    ]
