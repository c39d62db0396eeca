"""What befell others: people who are taken for somebody else, split in two, or cannot be found any more."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from contacts.actions import merge_contacts, undo_merge
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict
from emails.models import EmailSend
from events.models import Event
from hogsend.authoring import journey
from journeys.definitions import registry as journeys
from journeys.models import JourneyRun
from tests.acceptance.data_plane import Api, delivered, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db) -> Api:
    return Api()


@pytest.fixture(params=["page.viewed", "began"])
def name(request):
    """An event that starts no journey, and one that does: they are recorded in two ways."""
    with journeys.scratch():
        journeys._items.clear()

        @journey(id="beginning", trigger="began", entry_limit="unlimited")
        def beginning(user, ctx):
            ctx.checkpoint("here")

        yield request.param


def living() -> int:
    return Contact.objects.filter(deleted_at=None).count()


def test_an_address_that_is_changed_is_kept_as_a_key_and_mail_goes_to_the_new_one(api, name):
    ada = api.put(userId="ada", email="old@example.com")["id"]

    changed = api.put(userId="ada", email="new@example.com")
    by_old = api.event(name, email="OLD@example.com")["contactId"]
    api.mail(userId="ada")
    work()

    assert (changed["id"], by_old, living()) == (ada, ada, 1)
    assert [one["email"] for one in api.find(email="old@example.com")] == ["new@example.com"]
    assert delivered() == ["new@example.com"]


def test_an_event_changes_no_address_and_keeps_a_further_one_as_a_key(api, name):
    ada = api.put(userId="ada", email="ada@example.com")["id"]

    first = api.event(name, userId="ada", email="work@example.com")["contactId"]
    second = api.event(name, email="work@example.com")["contactId"]

    assert (first, second, living()) == (ada, ada, 1)
    assert [one["email"] for one in api.find(email="work@example.com")] == ["ada@example.com"]


def test_an_unknown_user_id_with_the_address_of_somebody_known_is_somebody_new_and_stays_so(api, name):
    ada = api.put(userId="ada", email="shared@example.com")["id"]

    eve = api.event(name, userId="eve", email="shared@example.com")["contactId"]
    again = api.event(name, userId="eve")["contactId"]

    assert (eve != ada, again) == (True, eve)
    assert [str(contact) for contact in Event.objects.values_list("contact", flat=True)] == [eve, eve]
    assert [one["id"] for one in api.find(email="shared@example.com")] == [ada]
    assert KeyConflict.objects.values_list("kind", "value").get() == ("email", "shared@example.com")


def test_two_known_people_in_one_call_stay_two_and_it_is_counted(api, name):
    ada = api.put(userId="ada", email="ada@example.com")["id"]
    eve = api.put(userId="eve", email="eve@example.com")["id"]

    by_event = api.event(name, userId="ada", email="eve@example.com")["contactId"]
    by_write = api.put(userId="ada", email="eve@example.com")

    assert (by_event, by_write["id"], living(), ContactMerge.objects.count()) == (ada, ada, 2, 0)
    assert by_write["conflicts"] == [{"kind": "email", "value": "eve@example.com"}]
    assert [one["id"] for one in api.find(email="eve@example.com")] == [eve]
    assert [one["email"] for one in api.find(userId="ada")] == ["ada@example.com"]
    assert KeyConflict.objects.get().seen_count == 2


def test_a_merge_that_an_event_caused_is_journalled_and_can_be_taken_back(api, name):
    api.put(userId="ada", email="ada@example.com")
    ben = api.event(name, email="ben@example.com", contactProperties={"city": "Rome"})["contactId"]
    api.event(name, userId="ada", email="ben@example.com")
    merged = [one["properties"] for one in api.find(email="ben@example.com")]
    journal = ContactMerge.objects.get()

    undo_merge(merge_id=journal.pk, actor="staff", now=timezone.now())
    apart = api.event(name, userId="ada", email="ben@example.com")

    assert (merged, journal.actor.startswith("event ")) == ([{"city": "Rome"}], True)
    assert [(one["id"], one["properties"]) for one in api.find(email="ben@example.com")] == [(ben, {"city": "Rome"})]
    assert (apart["contactId"] != ben, living()) == (True, 2)


def test_every_key_of_a_chain_of_merges_leads_to_the_last_one(api, name):
    api.event(name, anonymousId="visit-1")
    api.event(name, email="a@example.com")
    api.event(name, email="a@example.com", anonymousId="visit-1")
    api.event(name, anonymousId="visit-2")
    api.event(name, anonymousId="visit-2", email="a@example.com")
    ada = api.event(name, userId="ada")["contactId"]

    last = api.event(name, userId="ada", anonymousId="visit-2")["contactId"]

    found = [api.find(anonymousId="visit-1"), api.find(email="a@example.com"), api.find(anonymousId="visit-2")]
    assert (last, living()) == (ada, 1)
    assert [[one["id"] for one in people] for people in found] == [[ada]] * 3
    assert {str(contact) for contact in Event.objects.values_list("contact", flat=True)} == {ada}
    assert set(ContactKey.objects.values_list("contact__external_id", flat=True)) == {"ada"}


PATCH = {"gone": None, "team": {"lead": None, "size": 3}, "plan": "pro"}


@pytest.mark.parametrize("door", ["event", "write"])
@pytest.mark.parametrize("path", ["new", "known", "merged"])
def test_a_null_in_a_patch_removes_the_property_and_nothing_below_it_whatever_way_it_goes(api, name, door, path):
    if path != "new":
        api.put(userId="ada", properties={"gone": 1, "old": 1})
    if path == "merged":
        api.put(email="ada@example.com", properties={"gone": 2, "plan": "free"})

    if door == "event":
        api.event(name, userId="ada", email="ada@example.com", contactProperties=PATCH)
    else:
        api.put(userId="ada", email="ada@example.com", properties=PATCH)

    expected = {"team": {"lead": None, "size": 3}, "plan": "pro"} | ({} if path == "new" else {"old": 1})
    assert [one["properties"] for one in api.find(userId="ada")] == [expected]
    assert living() == 1


def test_a_user_id_in_the_form_of_a_uuid_is_a_user_id_like_any_other(api, name):
    user_id = str(uuid4())
    made = api.put(userId=user_id, email="ada@example.com")["id"]

    met = api.event(name, userId=user_id)["contactId"]
    mailed = api.mail(userId=user_id)["contactId"]
    deleted = api.call("DELETE", "/v1/contacts", {"userId": user_id})

    assert (met, mailed, deleted) == (made, made, (200, {"deleted": True}))
    assert api.find(userId=user_id) == []


def test_an_address_alone_is_found_once_and_without_a_user_id_until_one_comes_with_it(api):
    ben = api.put(email="ben@example.com")
    alone = api.find(email="ben@example.com")

    linked = api.put(email="ben@example.com", userId="ben")

    assert [one["externalId"] for one in alone] == [None]
    assert (linked["id"], linked["created"], linked["linked"]) == (ben["id"], False, True)
    both = [(one["externalId"], one["email"]) for one in api.find(userId="ben")]
    assert both == [("ben", "ben@example.com")]


def test_somebody_is_deleted_by_a_former_address_with_all_that_is_going_on(api, name):
    api.put(userId="ada", email="old@example.com")
    api.put(userId="ada", email="new@example.com")
    api.event("began", userId="ada")
    api.mail(userId="ada")

    deleted = api.call("DELETE", "/v1/contacts", {"email": "old@example.com"})
    work()

    assert deleted == (200, {"deleted": True})
    assert (api.find(userId="ada"), api.find(email="new@example.com"), delivered()) == ([], [], [])
    assert (JourneyRun.objects.get().status, EmailSend.objects.get().reason) == ("exited", "contact_deleted")
    assert not ContactKey.objects.exists()
    assert Event.objects.filter(name="contact.deleted").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["event", "write"])
def test_what_is_said_about_somebody_while_they_are_merged_is_said_about_the_survivor(api, name, door):
    ada = api.put(userId="ada")["id"]
    ben = api.put(email="ben@example.com")["id"]

    def say() -> str:
        try:
            if door == "write":
                return api.put(email="ben@example.com", properties={"city": "Rome"})["id"]
            return api.event(name, email="ben@example.com", contactProperties={"city": "Rome"})["contactId"]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            merge_contacts(survivor_id=UUID(ada), absorbed_id=UUID(ben), actor="staff", now=timezone.now())
            said = pool.submit(say)
            wait_for_a_lock()
        answer = said.result(timeout=20)

    assert (answer, living()) == (ada, 1)
    assert [one["properties"] for one in api.find(email="ben@example.com")] == [{"city": "Rome"}]
    assert {str(contact) for contact in Event.objects.values_list("contact", flat=True)} <= {ada}


def wait_for_a_lock() -> None:
    """Return once somebody waits for a lock that this connection holds."""
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while True:
            cursor.execute("select exists (select from pg_locks where not granted)")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline, "nobody waits"
            time.sleep(0.01)
