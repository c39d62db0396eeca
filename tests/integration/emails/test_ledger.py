import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils.html import escape

from contacts.models import Contact
from emails.actions import SendRequest, count_click, note_click, note_open, queue_email
from emails.definitions import registry
from emails.models import EmailSend, Origin, Reason, SendStatus, TrackedLink
from emails.render import RenderError
from hogsend.lib.registry import UnknownIdError
from preferences.models import Preference, Suppression

pytestmark = pytest.mark.django_db


def request(contact, **fields):
    return SendRequest(contact_id=contact.id, **{"email_id": "sample/welcome", "origin": Origin.API, **fields})


def test_a_message_is_recorded_as_it_will_be_sent(person, now):
    ada = person(properties={"firstName": "Ada <b>", "plan": "pro"})

    decision = queue_email(
        request(ada, props={"word": "x y"}, origin=Origin.JOURNEY, origin_id="hello", run_id=ada.id), now=now
    )

    send = EmailSend.objects.get()
    assert (decision.send_id, decision.status, decision.reason, decision.duplicate) == (
        send.id,
        SendStatus.QUEUED,
        None,
        False,
    )
    assert (send.contact_id, send.to_email, send.from_email) == (ada.id, "ada@example.com", "Shop <hi@shop.example>")
    assert (send.email_id, send.category, send.origin, send.origin_id, send.run_id) == (
        "sample/welcome",
        "journey",
        "journey",
        "hello",
        ada.id,
    )
    assert (send.subject, send.send_after, send.created_at, send.attempts) == ("Welcome, Ada <b>", now, now, 0)
    assert "Hello Ada &lt;b&gt;, you are on pro." in send.html
    assert "Hello Ada <b>, you are on pro." in send.text
    assert "https://shop.example/start?a=1&b=x%20y" in send.text


def test_links_lead_through_us_except_the_way_out(queued):
    send = queued(props={"word": "x"})

    link = TrackedLink.objects.get()
    assert (link.send_id, link.url, link.click_count) == (send.id, "https://shop.example/start?a=1&b=x", 0)
    assert f'href="https://api.example/v1/t/c/{link.id}"' in send.html
    assert f'src="https://api.example/v1/t/o/{send.id}"' in send.html
    unsubscribe = send.headers["List-Unsubscribe"][1:-1]
    assert unsubscribe.startswith("https://api.example/v1/email/unsubscribe?token=")
    assert f'href="{escape(unsubscribe)}"' in send.html
    assert 'href="https://api.example/v1/email/preferences?token=' in send.html


def test_marketing_mail_carries_one_click_unsubscribe(queued):
    send = queued()

    assert send.headers == {
        "X-Hogsend-Send": str(send.id),
        "List-Unsubscribe": send.headers["List-Unsubscribe"],
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_transactional_mail_carries_none(queued):
    send = queued(email_id="sample/reset")

    assert send.headers == {"X-Hogsend-Send": str(send.id)}
    assert "v1/email/unsubscribe?token=" in send.html


def test_a_request_replaces_only_what_it_names(queued):
    send = queued(
        subject="Other\nwords", from_email="b@shop.example", reply_to=("c@shop.example",), category="transactional"
    )

    assert (send.subject, send.from_email, send.reply_to, send.category) == (
        "Other words",
        "b@shop.example",
        ["c@shop.example"],
        "transactional",
    )


def test_the_same_key_is_the_same_message(person, now):
    ada = person()
    first = queue_email(request(ada, idempotency_key="k"), now=now)

    second = queue_email(request(ada, idempotency_key="k", email_id="sample/reset"), now=now)

    assert (second.send_id, second.status, second.duplicate) == (first.send_id, SendStatus.QUEUED, True)
    assert EmailSend.objects.count() == TrackedLink.objects.count() == 1


def test_without_a_key_every_request_is_a_message(person, now):
    ada = person()
    queue_email(request(ada), now=now)
    queue_email(request(ada), now=now)

    assert EmailSend.objects.count() == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [("sent", ""), ("delivered", ""), ("unknown", ""), ("failed", "refused"), ("skipped", "paused")],
)
def test_a_repeated_request_gets_the_present_truth(person, now, status, reason):
    ada = person()
    queue_email(request(ada, idempotency_key="k"), now=now)
    EmailSend.objects.update(status=status, reason=reason)

    again = queue_email(request(ada, idempotency_key="k"), now=now)

    assert (again.status, again.reason or "", again.duplicate) == (status, reason, True)


def test_a_repeated_request_does_not_need_the_email_to_exist_any_more(person, now):
    ada = person()
    first = queue_email(request(ada, idempotency_key="k"), now=now)

    with registry.scratch():
        registry._items.clear()
        again = queue_email(request(ada, idempotency_key="k"), now=now)

    assert again.send_id == first.send_id


BLOCKS = {
    "contact_deleted": lambda ada, now: Contact.objects.filter(id=ada.id).update(deleted_at=now),
    "no_address": lambda ada, _now: Contact.objects.filter(id=ada.id).update(email=None),
    "suppressed": lambda ada, now: Suppression.objects.create(email=ada.email, reason="complaint", suppressed_at=now),
    "unsubscribed": lambda ada, _now: Preference.objects.create(contact=ada, unsubscribed_all=True),
    "paused": lambda ada, now: Preference.objects.create(contact=ada, paused_until=now + timedelta(days=1)),
    "category_opted_out": lambda ada, _now: Preference.objects.create(contact=ada, categories={"journey": False}),
}


@pytest.mark.parametrize("reason", BLOCKS)
def test_a_message_that_is_not_allowed_is_a_row_with_its_one_reason(
    person, now, reason, django_capture_on_commit_callbacks
):
    ada = person()
    BLOCKS[reason](ada, now)

    with django_capture_on_commit_callbacks() as rings:
        decision = queue_email(request(ada, idempotency_key="k"), now=now)

    send = EmailSend.objects.get()
    assert (decision.status, decision.reason) == (SendStatus.SKIPPED, Reason(reason))
    assert (send.status, send.reason, send.html, send.idempotency_key) == ("skipped", reason, "", "k")
    assert rings == []


def test_a_blocked_verdict_stands_when_asked_again(person, now):
    ada = person()
    Preference.objects.create(contact=ada, unsubscribed_all=True)
    queue_email(request(ada, idempotency_key="k"), now=now)
    Preference.objects.all().delete()

    again = queue_email(request(ada, idempotency_key="k"), now=now)

    assert (again.status, again.reason, again.duplicate) == (SendStatus.SKIPPED, Reason.UNSUBSCRIBED, True)


def test_a_list_that_must_be_joined_blocks_until_it_is(person, now):
    ada = person()
    assert queue_email(request(ada, email_id="sample/news"), now=now).reason is Reason.CATEGORY

    Preference.objects.create(contact=ada, categories={"weekly": True})
    assert queue_email(request(ada, email_id="sample/news"), now=now).status is SendStatus.QUEUED


def test_of_several_reasons_the_first_is_told(person, now):
    ada = person()
    Suppression.objects.create(email=ada.email, reason="bounce", suppressed_at=now)
    Preference.objects.create(contact=ada, unsubscribed_all=True, categories={"journey": False})

    assert queue_email(request(ada), now=now).reason is Reason.SUPPRESSED


def test_an_opt_out_from_all_mail_blocks_transactional_mail_too(person, now):
    ada = person()
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    assert queue_email(request(ada, email_id="sample/reset"), now=now).reason is Reason.UNSUBSCRIBED


@pytest.mark.parametrize("reason", ["suppressed", "unsubscribed", "paused", "category_opted_out"])
def test_choices_can_be_waived(person, now, reason):
    ada = person()
    BLOCKS[reason](ada, now)

    assert queue_email(request(ada, skip_preferences=True), now=now).status is SendStatus.QUEUED


@pytest.mark.parametrize("reason", ["contact_deleted", "no_address"])
def test_facts_cannot_be_waived(person, now, reason):
    ada = person()
    BLOCKS[reason](ada, now)

    assert queue_email(request(ada, skip_preferences=True), now=now).reason is Reason(reason)


def test_mail_to_somebody_who_was_merged_goes_to_who_they_are_now(person, now):
    ada, old = person(), person("old")
    Contact.objects.filter(id=old.id).update(merged_into=ada, deleted_at=now, email=None)
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    decision = queue_email(request(old), now=now)

    assert decision.reason is Reason.UNSUBSCRIBED
    assert EmailSend.objects.get().contact_id == ada.id


def test_a_queued_message_rings_after_the_commit(person, now, django_capture_on_commit_callbacks):
    ada = person()

    with django_capture_on_commit_callbacks() as rings:
        queue_email(request(ada), now=now)

    assert len(rings) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"email_id": "sample/broken"},
            "The e-mail 'sample/broken' cannot be rendered: emails/sample/broken/body.html: Invalid block tag",
        ),
        (
            {"from_email": "a@shop.example\nBcc: all@example.com"},
            "The e-mail 'sample/welcome' cannot be sent as a message: ",
        ),
        (
            {"reply_to": ("a@shop.example\r\nBcc: all@example.com",)},
            "The e-mail 'sample/welcome' cannot be sent as a message: ",
        ),
    ],
)
def test_what_cannot_be_rendered_is_not_recorded(person, now, fields, sentence):
    ada = person()

    with pytest.raises(RenderError) as failure:
        queue_email(request(ada, idempotency_key="k", **fields), now=now)

    assert sentence in str(failure.value)
    assert not EmailSend.objects.exists()


def test_an_unknown_email_is_not_recorded(person, now):
    with pytest.raises(UnknownIdError, match="'sample/welcome'"):
        queue_email(request(person(), email_id="sample/welcom"), now=now)


@pytest.mark.django_db(transaction=True)
def test_deciding_needs_the_callers_transaction(person, now):
    ada = person()

    with pytest.raises(transaction.TransactionManagementError, match="call it inside transaction"):
        queue_email(request(ada), now=now)


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_with_one_key_are_one_message(person, now):
    people = [person(name) for name in ("ada", "ben")]
    together, decisions = threading.Barrier(2), []

    def ask(contact):
        with transaction.atomic():
            together.wait(10)
            decisions.append(queue_email(request(contact, idempotency_key="k"), now=now))
        connection.close()

    threads = [threading.Thread(target=ask, args=[contact]) for contact in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(decision.duplicate for decision in decisions) == [False, True]
    assert len({decision.send_id for decision in decisions}) == 1
    assert EmailSend.objects.count() == TrackedLink.objects.count() == 1


def test_the_first_open_is_noted_and_stays(queued, now):
    send = queued()

    assert note_open(send_id=send.id, now=now) is True
    assert note_open(send_id=send.id, now=now + timedelta(hours=1)) is False

    send.refresh_from_db()
    assert (send.opened_at, send.clicked_at) == (now, None)


def test_the_first_click_is_noted_and_stays(queued, now):
    send = queued()

    assert note_click(send_id=send.id, now=now) is True
    assert note_click(send_id=send.id, now=now + timedelta(hours=1)) is False

    send.refresh_from_db()
    assert (send.opened_at, send.clicked_at) == (None, now)


def test_every_click_on_a_link_is_counted(queued):
    queued()
    link = TrackedLink.objects.get()

    count_click(link_id=link.id)
    count_click(link_id=link.id)

    link.refresh_from_db()
    assert link.click_count == 2
