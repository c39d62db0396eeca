import json
from datetime import timedelta

import pytest

from contacts.actions import delete_contact, identify, merge_contacts, undo_merge
from contacts.definitions import Change
from contacts.following import contact_exported, contacts_changed
from contacts.models import Contact
from contacts.rules import keys_of
from events.models import Event
from hogsend.api.errors import ApiError
from preferences.actions import change_consent, pause, suppress
from preferences.models import ConsentChange, Preference, Suppression
from preferences.queries import consent_of
from preferences.rules import Consent
from tests.integration.preferences.conftest import NOW
from tests.people import ada as ada_known
from tests.people import ben, cleo, dora

LATER = NOW + timedelta(days=1)
Door = ConsentChange.Door

pytestmark = pytest.mark.django_db


def choose(contact: Contact, category: str | None, *, yes: bool, now=NOW, door=Door.PAGE) -> bool:
    return change_consent(contact_id=contact.id, category=category, subscribed=yes, door=door, now=now)


def of(contact: Contact) -> Consent:
    return consent_of([contact.id])[contact.id]


def merge(survivor: Contact, absorbed: Contact):
    return merge_contacts(survivor_id=survivor.id, absorbed_id=absorbed.id, actor="test", now=LATER)


def undo(journal, *, now=LATER + timedelta(days=1)) -> None:
    undo_merge(merge_id=journal.id, actor="test", now=now)


def test_a_write_changes_lists_by_its_door_and_tells_of_it():
    person = ada_known()

    contacts_changed([Change(person.id, created=False, lists={"news": False}, door="import")], now=NOW)

    assert ConsentChange.objects.get().door == "import"
    assert Event.objects.get().properties == {"category": "news", "door": "import"}


def test_a_write_without_lists_changes_no_consent():
    contacts_changed([Change(cleo().id, created=False)], now=NOW)

    assert not Preference.objects.exists()


def test_one_impossible_write_refuses_those_beside_it():
    good, bad = Change(ada_known().id, created=False, lists={"news": False}), cleo()

    with pytest.raises(ApiError, match="email"):
        contacts_changed([good, Change(bad.id, created=False, lists={"news": False})], now=NOW)

    assert not Preference.objects.exists()


def test_a_merge_keeps_every_opt_out_and_the_later_pause():
    survivor, absorbed = ada_known(), ben()
    choose(survivor, "news", yes=True)
    choose(survivor, "beta", yes=False)
    choose(absorbed, "news", yes=False)
    choose(absorbed, "beta", yes=True)
    choose(absorbed, None, yes=False)
    pause(contact_id=absorbed.id, until=LATER, now=NOW)

    journal = merge(survivor, absorbed)

    consent = of(survivor)
    assert (consent.unsubscribed_all, consent.categories) == (True, {"news": False, "beta": False})
    assert consent.paused_until == LATER
    assert Preference.objects.get().contact_id == survivor.id
    assert set(ConsentChange.objects.values_list("contact_id", flat=True)) == {survivor.id}
    assert len(journal.before["moved"]["preferences"]["changes"]) == 3
    assert json.dumps(journal.before["moved"]["preferences"])


def test_a_merge_of_people_who_chose_nothing_leaves_no_preference():
    merge(ada_known(), ben())

    assert not Preference.objects.exists()


def test_a_merge_taken_back_returns_the_choices_and_their_history():
    survivor, absorbed = ada_known(), ben()
    choose(survivor, "beta", yes=True)
    choose(absorbed, "news", yes=False)
    journal = merge(survivor, absorbed)

    undo(journal)

    assert of(absorbed).categories == {"news": False}
    assert of(survivor).categories == {"beta": True, "news": False}
    assert ConsentChange.objects.get(contact=absorbed).category == "news"
    assert ConsentChange.objects.get(contact=survivor).category == "beta"


def test_what_was_left_since_the_merge_stays_left_by_both():
    survivor, absorbed = ada_known(), ben()
    choose(survivor, "news", yes=False)
    journal = merge(survivor, absorbed)
    since = LATER + timedelta(hours=1)
    choose(survivor, "news", yes=True, now=since)
    choose(survivor, "news", yes=False, now=since)
    choose(survivor, None, yes=False, now=since)

    undo(journal)

    assert (of(absorbed).unsubscribed_all, of(absorbed).categories) == (True, {"news": False})
    assert of(survivor).unsubscribed_all is True
    shared = ConsentChange.objects.filter(contact=absorbed)
    assert set(shared.values_list("category", "door", "created_at")) == {("news", "page", since), (None, "page", since)}


def test_a_return_since_the_merge_is_the_survivors_alone():
    survivor, absorbed = ada_known(), dora()
    journal = merge(survivor, absorbed)
    choose(survivor, None, yes=True, now=LATER)

    undo(journal)

    assert of(absorbed).unsubscribed_all is True
    assert of(survivor).unsubscribed_all is False


def test_a_merge_of_before_there_were_choices_can_be_taken_back():
    survivor, absorbed = ada_known(), ben()
    journal = merge(survivor, absorbed)
    journal.before["moved"].pop("preferences")
    journal.save()

    undo(journal)

    assert not Preference.objects.exists()


def test_an_export_tells_choices_history_and_suppression():
    person = ada_known()
    choose(person, "news", yes=False)
    suppress(email="ada@example.com", reason=Suppression.Reason.COMPLAINT, now=NOW)

    told = contact_exported(person.id)

    assert told["preferences"] == {"unsubscribedAll": False, "pausedUntil": None, "categories": {"news": False}}
    assert told["suppressed"] == {"reason": "complaint", "suppressedAt": "2026-03-01T12:00:00.000Z"}
    [change] = told["consent_changes"]
    assert (change["category"], change["subscribed"], change["door"]) == ("news", False, "page")
    assert json.dumps(told)


def test_an_export_of_a_gone_person_does_not_fail():
    person = dora()
    delete_contact(contact_id=person.id, now=NOW)

    assert contact_exported(person.id)["preferences"]["unsubscribedAll"] is True


def test_an_upsert_by_a_new_address_finds_the_lists_of_the_old_one():
    identify(keys=keys_of(user_id="eve", email="eve@example.com"), lists={"news": False}, now=NOW)

    found = identify(keys=keys_of(user_id="eve", email="new@example.com"), now=LATER)

    assert consent_of([found.contact_id])[found.contact_id] == Consent(
        found.contact_id, "new@example.com", categories={"news": False}
    )
