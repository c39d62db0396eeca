"""What somebody refused stays refused when they are gone and their address comes back."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts.actions import delete_contact, identify
from contacts.actions.erase import erase_contact
from contacts.definitions import Erasure
from contacts.models import Contact
from contacts.rules import keys_of
from preferences import followers
from preferences.actions import change_consent, lift_suppression, suppress
from preferences.links import unsubscribe_url
from preferences.models import ConsentChange, Preference, Suppression, Tombstone
from preferences.queries import LEFT_ALL_MAIL, consent_of, suppressed_addresses, suppression_of
from preferences.rules import Block, Consent, gate
from tests.integration.preferences.conftest import NOW
from tests.people import ada as ada_known
from tests.people import ben, cleo, dora
from tests.people import person as somebody

LATER = NOW + timedelta(days=1)
Door = ConsentChange.Door

pytestmark = pytest.mark.django_db


def choose(contact: Contact, category: str | None, *, yes: bool, door=Door.PAGE) -> bool:
    return change_consent(contact_id=contact.id, category=category, subscribed=yes, door=door, now=LATER)


def delete(contact: Contact) -> None:
    assert delete_contact(contact_id=contact.id, now=NOW)


def of(contact: Contact) -> Consent:
    return consent_of([contact.id])[contact.id]


def again(email: str = "ada@example.com") -> Contact:
    return somebody(email=email)


def left_all_mail(contact: Contact) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {LEFT_ALL_MAIL.format(contact='asked.id')} from unnest(%s::uuid[]) as asked (id)", [[contact.id]]
        )
        return cursor.fetchone()[0]


def gone_and_back(*refused: str | None) -> Contact:
    """Ada refuses this much, is deleted, and comes back as somebody new."""
    person = ada_known()
    for category in refused:
        choose(person, category, yes=False)
    delete(person)
    return again()


@pytest.mark.parametrize("address", ["ada@example.com", " ADA@Example.com "])
def test_who_left_all_mail_and_comes_back_is_not_mailed(address):
    person = ada_known()
    choose(person, None, yes=False)
    delete(person)

    back = again(address)

    assert back.id != person.id
    assert gate(of(back), category="news", now=LATER) is Block.UNSUBSCRIBED
    assert left_all_mail(back) is True


def test_who_left_a_list_and_comes_back_is_still_off_it():
    back = gone_and_back("news", "receipts")

    assert of(back).categories == {"news": False, "receipts": False}
    assert of(back).unsubscribed_all is False
    assert left_all_mail(back) is False


def test_who_refused_nothing_leaves_nothing():
    person = ada_known()
    choose(person, "beta", yes=True)

    delete(person)

    assert not Tombstone.objects.exists()
    assert of(again()).categories == {}


def test_every_address_that_was_ever_theirs_is_remembered():
    person = ada_known()
    identify(keys=keys_of(user_id="ada", email="new@example.com"), now=NOW)
    choose(person, None, yes=False)

    delete(person)

    assert of(again("ada@example.com")).unsubscribed_all is True
    assert of(again("new@example.com")).unsubscribed_all is True


def test_a_second_address_that_was_refused_counts_as_the_first():
    gone_and_back(None)
    delete(again())

    back = somebody(user_id="eve", email="eve@example.com")
    somebody(user_id="eve", email="ada@example.com")

    assert of(back).unsubscribed_all is True


def test_changing_the_address_does_not_shake_it_off():
    gone_and_back(None)
    somebody(user_id="ada", email="ada@example.com")

    found = identify(keys=keys_of(user_id="ada", email="new@example.com"), now=LATER)

    assert consent_of([found.contact_id])[found.contact_id].unsubscribed_all is True


def test_what_was_barred_is_inherited_by_their_other_addresses():
    back = gone_and_back(None, "news")
    identify(keys=keys_of(user_id="eve", email="ada@example.com"), now=NOW)
    identify(keys=keys_of(user_id="eve", email="eve@example.com"), now=NOW)

    delete(back)

    assert of(again("eve@example.com")) == Consent(
        again("eve@example.com").id, "eve@example.com", unsubscribed_all=True, categories={"news": False}
    )


def test_other_people_are_not_concerned():
    gone_and_back(None)

    assert of(ben()).unsubscribed_all is False


@pytest.mark.parametrize("door", [Door.PAGE, Door.ONE_CLICK])
def test_a_return_to_all_mail_in_person_lifts_that_and_no_list(door):
    back = gone_and_back(None, "news")

    assert choose(back, None, yes=True, door=door) is True

    assert (of(back).unsubscribed_all, of(back).categories) == (False, {"news": False})
    assert left_all_mail(back) is False
    assert ConsentChange.objects.filter(contact=back).values_list("category", "subscribed").get() == (None, True)


def test_a_return_to_one_list_in_person_lifts_all_mail_and_that_list():
    back = gone_and_back(None, "news", "tips")

    choose(back, "news", yes=True)

    assert (of(back).unsubscribed_all, of(back).categories) == (False, {"news": True, "tips": False})


def test_a_program_lifts_the_one_list_only():
    back = gone_and_back(None, "news", "tips")

    assert choose(back, "news", yes=True, door=Door.API) is True

    assert (of(back).unsubscribed_all, of(back).categories) == (True, {"news": True, "tips": False})


def test_who_returned_and_goes_again_is_free():
    back = gone_and_back(None, "news")
    choose(back, "news", yes=True)
    delete(back)

    assert of(again()) == Consent(again().id, "ada@example.com")
    assert not Tombstone.objects.exists()


def test_an_opt_out_of_who_came_back_is_their_own():
    back = gone_and_back("news")

    assert choose(back, "news", yes=False) is True

    assert Preference.objects.get(contact=back).categories == {"news": False}


def test_an_older_yes_of_a_further_key_does_not_outweigh_a_no():
    gone_and_back("news")
    delete(again())
    eve = somebody(user_id="eve", email="eve@example.com")
    choose(eve, "news", yes=True)

    somebody(user_id="eve", email="ada@example.com")

    assert of(eve).categories == {"news": False}


def test_the_resubscribe_link_of_an_old_mail_brings_them_back():
    back = gone_and_back(None)
    url = unsubscribe_url(contact_key="ada", email="ada@example.com", category=None, send_id=None)
    assert Client().post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200

    choose(back, None, yes=True, door=Door.ONE_CLICK)

    assert of(back).unsubscribed_all is False


def test_many_are_deleted_in_as_many_statements_as_one():
    def statements(*contacts: Contact) -> int:
        for contact in contacts:
            choose(contact, None, yes=False)
        with CaptureQueriesContext(connection) as queries:
            followers.contacts_deleted([contact.id for contact in contacts], now=NOW)
        return len(queries)

    assert statements(ada_known()) == statements(*(somebody(email=f"p{number}@example.com") for number in range(30)))
    assert Tombstone.objects.count() == 31


def test_burying_twice_is_burying_once():
    person = dora()

    for _ in range(2):
        followers.contacts_deleted([person.id], now=NOW)

    stone = Tombstone.objects.get()
    assert (stone.unsubscribed_all, stone.categories, stone.suppressed) == (True, {}, False)


def test_who_has_no_address_leaves_nothing():
    person = cleo()
    Preference.objects.create(contact=person, unsubscribed_all=True)

    delete(person)

    assert not Tombstone.objects.exists()


def test_an_erased_address_is_nowhere_and_still_not_mailed():
    person = dora()
    suppress(email="dora@example.com", reason=Suppression.Reason.COMPLAINT, now=NOW)

    assert erase_contact(contact_id=person.id, now=NOW)

    assert not Suppression.objects.exists()
    assert not Preference.objects.exists()
    back = again("dora@example.com")
    assert (of(back).unsubscribed_all, of(back).suppressed) == (True, True)
    assert suppressed_addresses(["DORA@example.com ", "ben@example.com"]) == {"dora@example.com"}
    assert suppression_of("dora@example.com") is not None
    assert gate(of(back), category="news", now=LATER) is Block.SUPPRESSED


def test_bounces_that_were_only_counted_are_forgotten():
    person = ada_known()
    Suppression.objects.create(email="ada@example.com", bounce_count=2)

    erase_contact(contact_id=person.id, now=NOW)

    assert not Suppression.objects.exists()
    assert not Tombstone.objects.exists()


def test_erasing_does_not_bury_again_what_was_taken_back_since():
    person = ada_known()
    choose(person, None, yes=False)
    delete(person)
    back = again()
    choose(back, None, yes=True)

    followers.contacts_erased(Erasure((person.id,), ("ada",), ("ada@example.com",), (), NOW))

    assert of(back).unsubscribed_all is False


def test_staff_may_lift_a_suppression_that_outlived_the_person():
    person = ada_known()
    suppress(email="ada@example.com", reason=Suppression.Reason.BOUNCE, now=NOW)
    erase_contact(contact_id=person.id, now=NOW)

    assert lift_suppression(email=" Ada@example.com") is True

    assert of(again()).suppressed is False
    assert lift_suppression(email="ada@example.com") is False


def test_the_address_stands_in_no_tombstone_and_its_hash_needs_the_salt():
    gone_and_back(None)

    with connection.cursor() as cursor:
        cursor.execute("select sha256('ada@example.com'), (select salt from preferences_salt)")
        plain, salt = cursor.fetchone()
    stone = Tombstone.objects.get()
    assert bytes(stone.address_hash) != bytes(plain)
    assert (len(bytes(stone.address_hash)), len(bytes(salt))) == (32, 32)


def test_consent_is_read_in_one_statement_with_tombstones():
    back = gone_and_back(None)

    with CaptureQueriesContext(connection) as queries:
        consent_of([back.id, ben().id])

    assert len([query for query in queries if "preferences_consent" in query["sql"]]) == 1


@pytest.mark.filterwarnings("ignore:No directory at")
def test_staff_sees_what_a_tombstone_blocks_and_changes_nothing(admin_client):
    gone_and_back(None, "news")
    stone = Tombstone.objects.get()

    listed = admin_client.get("/admin/preferences/tombstone/")
    page = admin_client.get(f"/admin/preferences/tombstone/{stone.pk}/change/")

    assert listed.context["cl"].result_count == 1
    assert f"{stone.prefix}…" in listed.text
    assert "news" in page.text
    assert bytes(stone.address_hash).hex() not in page.text
    assert admin_client.post(f"/admin/preferences/tombstone/{stone.pk}/delete/", {"post": "yes"}).status_code == 403
