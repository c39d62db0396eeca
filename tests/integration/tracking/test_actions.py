import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from contacts.actions import lock_contacts
from contacts.models import Contact
from emails.models import EmailSend, TrackedLink
from events.models import Event
from tracking.actions import Visit, record_hit
from tracking.models import Hit

SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
READ_AT = SENT_AT + timedelta(minutes=5)
HUMAN = Visit(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ip="203.0.113.7")
MACHINE = Visit(user_agent="curl/8.5.0")
PROXY = Visit(user_agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)")

pytestmark = pytest.mark.django_db


def click(link: TrackedLink, visit: Visit = HUMAN, now: datetime = READ_AT):
    return record_hit(send=link.send, link=link, visit=visit, now=now)


def open_mail(link: TrackedLink, visit: Visit = HUMAN, now: datetime = READ_AT):
    return record_hit(send=link.send, visit=visit, now=now)


def test_a_human_click_is_kept_counted_and_told(link):
    click(link)

    hit = Hit.objects.get()
    assert (hit.kind, hit.visitor, hit.link_id, hit.ip, hit.user_agent, hit.created_at) == (
        "click", "human", link.id, "203.0.113.7", HUMAN.user_agent, READ_AT,
    )  # fmt: skip
    assert hit.evidence == {"because": "nothing_against", "after_seconds": 300.0}
    assert TrackedLink.objects.get().click_count == 1
    assert EmailSend.objects.get().clicked_at == READ_AT
    event = Event.objects.get()
    assert (event.name, event.contact_id, event.occurred_at) == ("email.link_clicked", link.send.contact_id, READ_AT)
    assert event.properties == {
        "emailSendId": str(link.send_id),
        "templateKey": "welcome",
        "linkUrl": link.url,
        "linkId": str(link.id),
    }


def test_every_human_click_is_told_and_the_first_one_dates_the_mail(link):
    click(link)

    click(link, now=READ_AT + timedelta(hours=1))

    assert Event.objects.count() == 2
    assert TrackedLink.objects.get().click_count == 2
    assert EmailSend.objects.get().clicked_at == READ_AT


def test_a_machines_click_is_kept_and_counted_but_says_nothing_about_the_person(link):
    click(link, MACHINE)

    assert Hit.objects.get().visitor == "machine"
    assert TrackedLink.objects.get().click_count == 1
    assert EmailSend.objects.get().clicked_at is None
    assert not Event.objects.exists()


@pytest.mark.parametrize(("visit", "visitor"), [(HUMAN, "human"), (PROXY, "unknown")])
def test_the_first_open_dates_the_mail_and_is_told(link, visit, visitor):
    open_mail(link, visit)

    assert Hit.objects.get().visitor == visitor
    assert EmailSend.objects.get().opened_at == READ_AT
    event = Event.objects.get()
    assert (event.name, event.properties) == (
        "email.opened",
        {"emailSendId": str(link.send_id), "templateKey": "welcome"},
    )


def test_a_second_open_is_kept_but_changes_and_tells_nothing(link):
    open_mail(link, PROXY)

    open_mail(link, HUMAN, now=READ_AT + timedelta(hours=1))

    assert Hit.objects.count() == 2
    assert EmailSend.objects.get().opened_at == READ_AT
    assert Event.objects.count() == 1


def test_a_machines_open_leaves_the_mail_unopened(link):
    open_mail(link, Visit(user_agent=""))

    assert Hit.objects.get().evidence["because"] == "no_user_agent"
    assert EmailSend.objects.get().opened_at is None
    assert not Event.objects.exists()


def test_a_scanner_that_fetches_everything_at_once_changes_nothing(link):
    at_once = SENT_AT + timedelta(milliseconds=300)

    open_mail(link, now=at_once)
    click(link, now=at_once)

    assert {hit.evidence["because"] for hit in Hit.objects.all()} == {"too_soon"}
    assert (EmailSend.objects.get().opened_at, EmailSend.objects.get().clicked_at) == (None, None)


def test_a_mail_whose_answer_was_lost_is_dated_by_its_hand_over(db, mail):
    lost = mail(sent_at=None, provider_started_at=SENT_AT, created_at=SENT_AT - timedelta(days=1))

    assert click(lost, now=SENT_AT + timedelta(seconds=1)).evidence["because"] == "too_soon"
    assert click(lost, now=READ_AT).visitor == "human"


def test_a_click_on_a_merged_persons_mail_is_told_of_the_survivor(link):
    survivor = Contact.objects.create(external_id="new", first_seen_at=SENT_AT, last_seen_at=SENT_AT)
    Contact.objects.filter(id=link.send.contact_id).update(merged_into=survivor, deleted_at=SENT_AT)

    click(link)

    assert Event.objects.get().contact_id == survivor.id


def test_a_click_on_a_deleted_persons_mail_is_kept_but_not_told(link):
    Contact.objects.filter(id=link.send.contact_id).update(deleted_at=SENT_AT)

    click(link)

    assert Hit.objects.get().visitor == "human"
    assert not Event.objects.exists()


def test_a_long_user_agent_is_cut_and_holds_no_nul(link):
    click(link, Visit(user_agent="Fire\x00fox" + "x" * 9000))

    kept = Hit.objects.get().user_agent
    assert kept.startswith("Firefox")
    assert len(kept) == 512


@pytest.mark.django_db(transaction=True)
def test_of_many_opens_at_once_one_is_the_first(mail):
    link = mail()
    gate = threading.Barrier(6)

    def run(_: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(timeout=10)
            open_mail(link)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))

    assert Hit.objects.count() == 6
    assert Event.objects.filter(name="email.opened").count() == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_long_for_a_person_who_is_busy(mail):
    link = mail()
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                lock_contacts({link.send.contact_id})
                locked.set()
                done.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    try:
        with pytest.raises(OperationalError, match="lock timeout"):
            click(link)
    finally:
        done.set()
        holder.join()
