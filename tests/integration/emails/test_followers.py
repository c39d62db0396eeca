"""What becomes of mail when people become one, are two again, are deleted, erased or ask what we hold."""

import json
from datetime import timedelta
from uuid import UUID

import pytest

from contacts.definitions import Erasure, Merge
from contacts.models import Contact
from emails import followers
from emails.actions import count_click, deliver_due, note_open
from emails.models import EmailSend, TrackedLink
from events.models import IdempotencyKey
from preferences.models import Preference

pytestmark = pytest.mark.django_db


@pytest.fixture
def merged(person, now):
    """Merge ben into ada, as far as mail and contacts are concerned."""

    def merged(ada, ben) -> Merge:
        merge = Merge(ada.id, ben.id, now)
        followers.contacts_merged(merge)
        Contact.objects.filter(id=ben.id).update(merged_into=ada, deleted_at=now)
        return merge

    return merged


def test_mail_of_the_absorbed_becomes_the_survivors_and_is_noted(queued, person, merged):
    ada, ben = person(), person("ben")
    own, others = queued(ada), [queued(ben), queued(ben)]

    merge = merged(ada, ben)

    assert set(EmailSend.objects.values_list("contact_id", flat=True)) == {ada.id}
    assert sorted(merge.moved["emails"]) == sorted(str(send.id) for send in others)
    assert str(own.id) not in merge.moved["emails"]
    assert json.loads(json.dumps(merge.moved)) == merge.moved


@pytest.mark.parametrize("unwilling", ["ada", "ben"])
def test_queued_mail_is_judged_by_whom_the_person_is_now(sink, queued, person, merged, now, unwilling):
    people = {"ada": person(), "ben": person("ben")}
    send = queued(people["ben"])
    merged(people["ada"], people["ben"])
    Preference.objects.create(contact=people[unwilling], unsubscribed_all=True)

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.contact_id) == ("skipped" if unwilling == "ada" else "sent", people["ada"].id)


def test_taking_a_merge_back_returns_what_moved_and_nothing_else(queued, person, merged):
    ada, ben = person(), person("ben")
    own, others = queued(ada), queued(ben)
    merge = merged(ada, ben)
    since = queued(ada)

    followers.merge_undone(merge)

    owners = dict(EmailSend.objects.values_list("id", "contact_id"))
    assert owners == {own.id: ada.id, others.id: ben.id, since.id: ada.id}


def test_what_is_queued_for_the_deleted_is_skipped_with_the_reason(sink, queued, person, now):
    ada, ben = person(), person("ben")
    gone, other, sent = queued(ada), queued(ben), queued(ada)
    EmailSend.objects.filter(id=sent.id).update(status="sent")

    followers.contacts_deleted([ada.id], now=now)

    rows = {send.id: (send.status, send.reason) for send in EmailSend.objects.all()}
    assert rows == {gone.id: ("skipped", "contact_deleted"), other.id: ("queued", ""), sent.id: ("sent", "")}
    deliver_due(now=now)
    assert [mail["To"] for mail in sink.mails] == ["ben@example.com"]


def test_what_may_have_been_handed_over_to_the_deleted_is_unknown(queued, person, now):
    ada = person()
    send = queued(ada)
    EmailSend.objects.update(provider_started_at=now)

    followers.contacts_deleted([ada.id], now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("unknown", "")


def erasure(contact, now, **fields) -> Erasure:
    given = {"external_ids": (contact.external_id,), "emails": (contact.email,), "anonymous_ids": ()}
    return Erasure(contact_ids=(contact.id,), now=now, **{**given, **fields})


def test_an_erased_person_stands_in_no_mail_and_no_key(queued, person, now):
    ada, ben = person(), person("ben")
    send, earlier, other = queued(ada), queued(ben, to_email="ada@example.com"), queued(ben)
    for position, row in enumerate((send, earlier, other)):
        IdempotencyKey.objects.create(
            scope="main:emails", key=f"k{position}", fingerprint=b"x", answer=row.id, created_at=row.created_at
        )

    followers.contacts_erased(erasure(ada, now))

    assert list(EmailSend.objects.values_list("id", flat=True)) == [other.id]
    assert list(TrackedLink.objects.values_list("send_id", flat=True)) == [other.id]
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["k2"]


def test_an_export_holds_every_mail_with_what_became_of_it(sink, queued, person, now):
    ada = person()
    send = queued(ada, props={"word": "x"}, reply_to=("help@shop.example",), origin_id="shop")
    deliver_due(now=now)
    note_open(send_id=send.id, now=now + timedelta(hours=1))
    count_click(link_id=TrackedLink.objects.get(send=send).id)
    Preference.objects.create(contact=ada, unsubscribed_all=True)
    skipped = queued(ada, at=now + timedelta(days=1))
    queued(person("ben"))

    exported = followers.contact_exported(ada.id)

    first, second = exported["emails"]
    send.refresh_from_db()
    assert json.loads(json.dumps(exported)) == exported
    assert (UUID(first["id"]), first["template"], first["category"]) == (send.id, "sample/welcome", "journey")
    assert (first["from"], first["to"], first["replyTo"]) == (
        "Shop <hi@shop.example>",
        "ada@example.com",
        ["help@shop.example"],
    )
    assert (first["subject"], first["text"], first["html"]) == (send.subject, send.text, send.html)
    assert (first["status"], first["reason"], first["openedAt"]) == ("sent", None, "2026-03-01T13:00:00.000Z")
    assert first["links"] == [{"url": "https://shop.example/start?a=1&b=x", "clicks": 1}]
    assert (UUID(second["id"]), second["status"], second["reason"]) == (skipped.id, "skipped", "unsubscribed")
