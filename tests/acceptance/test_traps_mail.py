"""What befell others: consent and history that are lost on the way, and mail that turns people into others."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from contacts.models import Contact
from emails.models import EmailSend, TrackedLink
from events.models import Event
from hogsend.authoring import days, journey, send_email
from journeys.definitions import registry as journeys
from journeys.models import EnrolmentSkip, JourneyRun
from preferences.actions import suppress
from preferences.models import ConsentChange, Preference, Suppression
from tests.acceptance.data_plane import Api, delivered, everything_stored, wake, work

pytestmark = pytest.mark.django_db

FIREFOX = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
NEWS = "product-updates"  # a list that has to be joined


@pytest.fixture
def api(db) -> Api:
    return Api()


@pytest.fixture
def two_mails() -> Iterator[None]:
    """A journey of two mails with a wait between them."""
    with journeys.scratch():
        journeys._items.clear()

        @journey(id="two-mails", trigger="began", entry_limit="unlimited")
        def run(user, ctx):
            send_email(user, "welcome")
            ctx.sleep(days(2), label="nap")
            send_email(user, "activation-nudge")

        yield


def leave(message: mail.EmailMessage) -> int:
    """Press what mail programs show as unsubscribe."""
    url = message.extra_headers["List-Unsubscribe"].strip("<>")
    return Client().post(url[url.index("/v1/") :], {"List-Unsubscribe": "One-Click"}).status_code


def about(rows) -> set[str]:
    """Whose these rows are."""
    return {str(contact) for contact in rows.objects.values_list("contact", flat=True)}


def test_two_who_both_completed_a_journey_that_mailed_them_become_one_with_both_runs_and_all_mail(api, two_mails):
    for keys in ({"userId": "ada", "email": "ada@example.com"}, {"email": "ben@example.com"}):
        api.event("began", **keys)
        work()
        wake()
    runs = set(JourneyRun.objects.values_list("id", "status"))
    ada = api.find(userId="ada")[0]["id"]

    answer = api.event("page.viewed", userId="ada", email="ben@example.com")

    assert (answer["stored"], answer["contactId"]) == (True, ada)
    assert (about(JourneyRun), about(EmailSend)) == ({ada}, {ada})
    assert set(JourneyRun.objects.values_list("id", "status")) == runs
    assert {status for _, status in runs} == {"completed"}
    assert sorted(EmailSend.objects.values_list("run_id", flat=True)) == sorted(2 * [run for run, _ in runs])


def test_of_two_who_become_one_no_event_run_mail_or_refusal_is_lost(api, two_mails):
    ada = api.put(userId="ada", email="ada@example.com", properties={"plan": "pro"})["id"]
    ben = api.event("began", email="ben@example.com", contactProperties={"plan": "free", "city": "Rome"})["contactId"]
    work()
    [message] = mail.outbox

    answer = api.event("page.viewed", userId="ada", email="ben@example.com")
    left = leave(message)
    wake()

    assert (answer["contactId"], left) == (ada, 200)
    assert about(Event) == about(JourneyRun) == about(EmailSend) == about(Preference) == about(ConsentChange) == {ada}
    assert Preference.objects.get().categories == {"journey": False}
    assert list(EmailSend.objects.order_by("created_at").values_list("to_email", "status", "reason")) == [
        ("ben@example.com", "sent", ""),
        ("ada@example.com", "skipped", "category_opted_out"),
    ]
    assert JourneyRun.objects.get().status == "completed"
    assert Contact.objects.get(pk=ben).deleted_at is not None
    [found] = api.find(userId="ada")
    assert (found["email"], found["properties"]) == ("ada@example.com", {"plan": "pro", "city": "Rome"})
    written = api.put(email="ben@example.com")
    assert (written["id"], written["created"]) == (ada, False)


def test_a_journey_that_sleeps_wakes_after_its_person_was_given_a_user_id_or_became_another(api, two_mails):
    api.event("began", email="ben@example.com")
    api.event("began", anonymousId="visit-1")
    work()

    api.put(userId="ben", email="ben@example.com")
    ada = api.put(userId="ada", email="ada@example.com")["id"]
    api.event("page.viewed", userId="ada", anonymousId="visit-1")
    wake()

    assert set(JourneyRun.objects.values_list("status", flat=True)) == {"completed"}
    assert delivered() == ["ben@example.com", "ben@example.com", "ada@example.com"]
    assert JourneyRun.objects.filter(contact=ada).count() == 1


def test_what_somebody_chose_as_a_visitor_is_theirs_when_they_get_a_user_id(api):
    api.event("page.viewed", anonymousId="visit-1", email="ada@example.com", lists={NEWS: True})
    first = api.mail(to="ada@example.com", category=NEWS)
    work()

    api.put(userId="ada", email="ada@example.com")
    second = api.mail(userId="ada", category=NEWS)
    left = leave(mail.outbox[0])
    third = api.mail(userId="ada", category=NEWS)

    assert [one["status"] for one in (first, second, third)] == ["queued", "queued", "unsubscribed"]
    assert (left, Preference.objects.get().categories) == (200, {NEWS: False})


def test_the_link_in_an_old_mail_stops_mail_to_whoever_its_reader_has_become(api):
    api.mail(to="ben@example.com", category="journey")
    work()
    api.put(userId="ada", email="ada@example.com")
    api.event("page.viewed", userId="ada", email="ben@example.com")
    api.put(userId="ada", email="new@example.com")

    assert leave(mail.outbox[0]) == 200

    assert api.mail(userId="ada", category="journey")["status"] == "unsubscribed"
    assert Preference.objects.count() == 1


def test_whoever_refused_mail_under_one_address_enters_no_journey_under_another_key(api, two_mails):
    ben = api.put(email="ben@example.com")["id"]
    admin = Api("full-admin")
    admin.call("PATCH", f"/v1/contacts/{ben}/preferences", {"unsubscribedAll": True})
    api.put(userId="ada", email="ada@example.com")
    api.event("page.viewed", userId="ada", email="ben@example.com")

    api.event("began", userId="ada")

    assert EnrolmentSkip.objects.get().reason == "user_unsubscribed"
    assert not JourneyRun.objects.exists()


def test_an_address_that_bounced_before_anybody_had_it_is_not_mailed_however_it_is_written(api, two_mails):
    suppress(email="BEN@Example.com", reason=Suppression.Reason.BOUNCE, now=timezone.now())

    by_api = api.mail(to="Ben@EXAMPLE.com")
    api.event("began", userId="ben", email="bEn@example.com")
    work()

    assert (by_api["status"], delivered()) == ("suppressed", [])
    assert set(EmailSend.objects.values_list("to_email", "reason")) == {("ben@example.com", "suppressed")}


def test_a_mail_over_the_api_is_rendered_tracked_and_handed_over_by_a_worker(api):
    answer = api.mail(to="ben@example.com", props={"a": 1})
    before = delivered()
    work()

    send = EmailSend.objects.get()
    [message] = mail.outbox
    [(html, kind)] = message.alternatives
    link = TrackedLink.objects.filter(send=send).first()
    assert (answer["status"], before, kind) == ("queued", [], "text/html")
    assert (str(send.id), send.email_id, send.run_id, send.status) == (answer["emailSendId"], "welcome", None, "sent")
    assert f"/v1/t/c/{link.id}" in html
    assert f"/v1/t/o/{send.id}" in html


def test_a_mail_that_is_asked_for_again_is_not_decided_again_and_changes_no_row(api):
    body = {"template": "welcome", "to": "ben@example.com", "idempotencyKey": "k"}
    first = api.call("POST", "/v1/emails", body)
    work()
    api.put(userId="ben", email="ben@example.com")
    api.call("POST", f"/v1/lists/{NEWS}/unsubscribe", {"userId": "ben"})
    before = everything_stored()

    again = api.call("POST", "/v1/emails", body)
    other = api.call("POST", "/v1/emails", {**body, "to": "eve@example.com"})

    assert again == (202, {**first[1], "status": "sent"})
    assert (other[0], everything_stored() == before, delivered()) == (409, True, ["ben@example.com"])


@pytest.mark.parametrize("keys", [{"to": "ben@example.com"}, {"userId": "ben", "to": "ben@example.com"}])
def test_reading_a_mail_makes_nobody_new_and_gives_nobody_an_id(api, keys):
    """What the engine tells of somebody, it tells of their row, not of their address."""
    contact_id = api.mail(**keys)["contactId"]
    work()
    hours_ago = timezone.now() - timedelta(hours=2)
    EmailSend.objects.update(sent_at=hours_ago, provider_started_at=hours_ago)
    [(html, _)] = mail.outbox[0].alternatives
    before = list(Contact.objects.values())

    for address in (re.search(r"/v1/t/o/[\w-]+", html)[0], re.search(r"/v1/t/c/[\w-]+", html)[0]):
        Client(headers=FIREFOX).get(address)

    told = Event.objects.order_by("seq").values_list("name", "contact")
    assert [(name, str(contact)) for name, contact in told] == [
        ("email.opened", contact_id),
        ("email.link_clicked", contact_id),
    ]
    assert list(Contact.objects.values()) == before


@pytest.mark.parametrize("door", ["event", "write", "list"])
def test_a_choice_that_comes_with_a_further_address_is_the_persons_own(api, door):
    ada = api.put(userId="ada", email="ada@example.com")["id"]
    names = {"userId": "ada", "email": "further@example.com"}

    if door == "event":
        api.event("page.viewed", **names, lists={NEWS: True})
    elif door == "write":
        api.put(**names, lists={NEWS: True})
    else:
        assert api.call("POST", f"/v1/lists/{NEWS}/subscribe", names)[0] == 200

    assert about(Preference) == {ada}
    assert Preference.objects.get().categories == {NEWS: True}
    statuses = [api.mail(**who, category=NEWS)["status"] for who in ({"userId": "ada"}, {"to": "further@example.com"})]
    assert statuses == ["queued", "queued"]


ODD = ['a"b', "a,b", "{a}", "a'b", "$.a", "%s", "a\\b", "", "transactional", "journey", NEWS.upper()]


@pytest.mark.parametrize("name", ODD)
def test_a_list_that_nobody_declared_is_refused_in_words_of_ours_and_changes_nothing(api, name):
    names = {"userId": "ada", "email": "ada@example.com", "lists": {name: True}}

    by_event = api.event("page.viewed", **names)
    status, by_write = api.call("PUT", "/v1/contacts", names)

    sentence = f"There is no list {name!r}."
    assert (by_event["stored"], by_event["listsError"].startswith(sentence)) == (True, True)
    assert (status, by_write["error"].startswith(sentence)) == (400, True)
    assert not Preference.objects.exists()
