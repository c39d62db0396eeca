import re
import socket
import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from contacts.models import Contact
from emails.actions import deliver_due, reclaim_lost
from emails.models import EmailSend
from emails.queries import email_history, sent_count
from emails.rules import backoff
from emails.tasks import deliver, reclaim
from preferences.models import Preference, Suppression

pytestmark = pytest.mark.django_db

LEASE = timedelta(seconds=60)
A_MOMENT = timedelta(seconds=15)


def test_a_message_is_handed_over_as_it_was_recorded(sink, queued, now):
    send = queued(reply_to=("help@shop.example",), props={"word": "x"})

    assert deliver_due(now=now) == 1

    (mail,) = sink.mails
    plain, html = mail.iter_parts()
    assert (mail["From"], mail["To"], mail["Reply-To"]) == (
        "Shop <hi@shop.example>",
        "ada@example.com",
        "help@shop.example",
    )
    assert (mail["Subject"], mail["Message-ID"]) == (send.subject, f"<{send.id}@shop.example>")
    assert mail["X-Hogsend-Send"] == str(send.id)
    assert re.sub(r"\s", "", mail["List-Unsubscribe"]) == send.headers["List-Unsubscribe"]
    assert (plain.get_content().splitlines(), html.get_content().splitlines()) == (
        send.text.splitlines(),
        send.html.splitlines(),
    )


def test_an_accepted_message_is_sent(sink, queued, now):
    send = queued()

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason, send.error, send.attempts) == ("sent", "", "", 1)
    assert now <= send.provider_started_at <= send.sent_at < now + A_MOMENT
    assert send.provider_message_id == f"<{send.id}@shop.example>"
    assert (send.claim_token, send.claimed_until) == (None, None)


def test_a_message_that_was_sent_is_not_due_again(sink, queued, now):
    queued()
    deliver_due(now=now)

    assert deliver_due(now=now + timedelta(days=30)) == 0
    assert len(sink.accepted) == 1


def test_nothing_is_sent_before_its_time(sink, queued, now):
    queued(at=now + timedelta(seconds=1))

    assert deliver_due(now=now) == 0
    assert sink.connections == 0


def test_a_batch_is_bounded_and_goes_through_one_connection(sink, queued, person, now):
    ada = person()
    for _ in range(3):
        queued(ada)

    assert deliver_due(now=now, limit=2) == 2
    assert (len(sink.accepted), sink.connections) == (2, 1)


REFUSALS = [("MAIL", "553 not yours"), ("RCPT", "550 no such user"), ("DATA", "554 spam")]


@pytest.mark.parametrize(("step", "reply"), REFUSALS)
def test_a_definite_refusal_is_final(sink, queued, now, step, reply):
    send = queued()
    sink.says[step] = reply

    assert deliver_due(now=now) == 1

    send.refresh_from_db()
    assert (send.status, send.reason, send.sent_at) == ("failed", "refused", None)
    assert reply[4:] in send.error
    assert deliver_due(now=now + timedelta(days=1)) == 0


NOT_NOW = [
    ("MAIL", "450 busy"), ("MAIL", "421 closing"), ("MAIL", "drop"), ("MAIL", "hang"), ("MAIL", "530 log in first"),
    ("RCPT", "450 greylisted"), ("RCPT", "421 closing"), ("RCPT", "drop"), ("RCPT", "hang"),
    ("DATA", "451 try later"), ("DATA", "454 Throttling failure"), ("DATA", "421 closing"),
]  # fmt: skip


@pytest.mark.parametrize("trouble", NOT_NOW, ids=" ".join)
def test_what_was_surely_not_accepted_waits_and_is_sent_later(sink, queued, settings, now, trouble):
    settings.EMAIL_TIMEOUT = 0.5
    send = queued()
    sink.says.update([trouble])

    assert deliver_due(now=now) == 0

    send.refresh_from_db()
    assert (send.status, send.attempts, send.provider_started_at, send.claim_token) == ("queued", 1, None, None)
    assert timedelta(0) <= send.send_after - (now + backoff(send.id, attempts=1)) < A_MOMENT
    assert send.error
    sink.says.clear()
    assert deliver_due(now=send.send_after) == 1
    send.refresh_from_db()
    assert (send.status, send.attempts, send.error, len(sink.accepted)) == ("sent", 2, "", 1)


@pytest.mark.parametrize("reply", ["drop", "hang"])
def test_what_may_have_been_accepted_is_unknown_and_never_repeated(sink, queued, settings, now, reply):
    settings.EMAIL_TIMEOUT = 0.5
    send = queued()
    sink.says["DATA"] = reply

    assert deliver_due(now=now) == 1

    send.refresh_from_db()
    assert (send.status, send.reason, send.sent_at) == ("unknown", "", None)
    assert send.provider_started_at
    assert "SMTPServerDisconnected" in send.error
    sink.says.clear()
    assert reclaim_lost(now=now + timedelta(days=1)) == deliver_due(now=now + timedelta(days=1)) == 0
    assert len(sink.came_in) == 1


def test_pauses_grow_and_end_in_giving_up(sink, queued, now):
    send = queued()
    sink.says["RCPT"] = "451 later"
    for attempt in range(1, 10):
        deliver_due(now=now)
        send.refresh_from_db()
        assert timedelta(0) <= send.send_after - now - backoff(send.id, attempts=attempt) < A_MOMENT
        now = send.send_after

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason, send.attempts) == ("failed", "gave_up", 10)
    assert "later" in send.error


def test_a_refused_message_does_not_hold_up_the_others(sink, queued, person, now):
    sends = [queued(person(name)) for name in ("ada", "ben", "cleo")]
    sink.says_to["ben@example.com"] = {"RCPT": "550 no such user"}

    deliver_due(now=now)

    assert [EmailSend.objects.get(id=send.id).status for send in sends] == ["sent", "failed", "sent"]
    assert sink.connections == 1


def test_after_a_lost_connection_the_next_message_gets_a_new_one(sink, queued, person, now):
    sends = [queued(person(name)) for name in ("ada", "ben", "cleo")]
    sink.says_to["ben@example.com"] = {"DATA": "drop"}

    deliver_due(now=now)

    assert [EmailSend.objects.get(id=send.id).status for send in sends] == ["sent", "unknown", "sent"]
    assert sink.connections == 2


def test_when_the_server_closes_down_the_rest_goes_back_untried(sink, queued, person, now):
    sends = [queued(person(name)) for name in ("ada", "ben", "cleo")]
    sink.says_to["ben@example.com"] = {"RCPT": "421 too many"}

    deliver_due(now=now)

    ada, ben, cleo = (EmailSend.objects.get(id=send.id) for send in sends)
    assert (ada.status, ben.status, cleo.status) == ("sent", "queued", "queued")
    assert (ben.attempts, cleo.attempts, cleo.claim_token, cleo.provider_started_at) == (1, 0, None, None)
    assert cleo.send_after > now


def nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_unreachable_server_costs_one_try_of_one_message(queued, person, settings, now):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", nobody_listens()
    sends = [queued(person(name)) for name in ("ada", "ben")]

    assert deliver_due(now=now) == 0

    ada, ben = (EmailSend.objects.get(id=send.id) for send in sends)
    assert (ada.status, ada.attempts, ada.provider_started_at, ben.status, ben.attempts) == (
        "queued",
        1,
        None,
        "queued",
        0,
    )
    assert "Connection refused" in ada.error


def test_a_server_that_greets_with_a_no_has_accepted_nothing(queued, settings, now):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    send = queued()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()

        def greet():
            client, _ = server.accept()
            with client:
                client.sendall(b"554 not here\r\n")
                client.recv(100)

        greeter = threading.Thread(target=greet)
        greeter.start()
        deliver_due(now=now)
        greeter.join(10)

    send.refresh_from_db()
    assert (send.status, send.attempts) == ("queued", 1)
    assert "not here" in send.error


def test_a_back_end_that_takes_nothing_has_refused(sink, queued, now):
    send = queued()
    EmailSend.objects.update(to_email="", skip_preferences=True)

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("failed", "refused")
    assert sink.came_in == []


WITHDRAWALS = {
    "contact_deleted": lambda ada, now: Contact.objects.filter(id=ada.id).update(deleted_at=now),
    "no_address": lambda ada, _now: Contact.objects.filter(id=ada.id).update(email=None),
    "suppressed": lambda ada, now: Suppression.objects.create(email=ada.email, reason="complaint", suppressed_at=now),
    "unsubscribed": lambda ada, _now: Preference.objects.create(contact=ada, unsubscribed_all=True),
    "paused": lambda ada, now: Preference.objects.create(contact=ada, paused_until=now + timedelta(days=1)),
    "category_opted_out": lambda ada, _now: Preference.objects.create(contact=ada, categories={"journey": False}),
}


@pytest.mark.parametrize("reason", WITHDRAWALS)
def test_consent_withdrawn_while_the_message_waited_is_obeyed(sink, queued, person, now, reason):
    ada = person()
    send = queued(ada, idempotency_key="k")
    WITHDRAWALS[reason](ada, now)

    assert deliver_due(now=now) == 1

    send.refresh_from_db()
    assert (send.status, send.reason, send.provider_started_at, send.idempotency_key) == ("skipped", reason, None, "k")
    assert sink.came_in == []


def test_consent_withdrawn_between_two_tries_is_obeyed(sink, queued, person, now):
    ada = person()
    send = queued(ada)
    sink.says["DATA"] = "451 later"
    deliver_due(now=now)
    Preference.objects.create(contact=ada, unsubscribed_all=True)
    sink.says.clear()

    deliver_due(now=now + timedelta(hours=1))

    send.refresh_from_db()
    assert (send.status, send.reason, sink.accepted) == ("skipped", "unsubscribed", [])


def test_a_suppressed_address_stays_suppressed_when_its_owner_has_a_new_one(sink, queued, person, now):
    ada = person()
    send = queued(ada)
    Suppression.objects.create(email=ada.email, reason="bounce", suppressed_at=now)
    Contact.objects.filter(id=ada.id).update(email="new@example.com")

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("skipped", "suppressed")


def test_the_survivor_of_a_merge_decides_about_mail_of_the_absorbed(sink, queued, person, now):
    ada, old = person(), person("old")
    send = queued(old)
    Contact.objects.filter(id=old.id).update(merged_into=ada, deleted_at=now)
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("skipped", "unsubscribed")


def test_a_waived_choice_stays_waived_at_the_hand_over(sink, queued, person, now):
    ada = person()
    queued(ada, skip_preferences=True)
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    deliver_due(now=now)

    assert len(sink.accepted) == 1


def sending(send, now, **fields):
    """Leave the row as a worker that was lost would."""
    EmailSend.objects.filter(id=send.id).update(
        status="sending", claim_token=UUID(int=1), claimed_until=now + LEASE, attempts=1, **fields
    )


def test_a_claim_that_has_not_run_out_is_left_alone(queued, now):
    sending(queued(), now)

    assert reclaim_lost(now=now + LEASE) == 0


def test_a_lost_claim_that_was_not_tried_is_sent_once_later(sink, queued, now):
    send = queued()
    sending(send, now)

    assert reclaim_lost(now=now + LEASE + A_MOMENT) == 1
    assert deliver_due(now=now + LEASE + A_MOMENT) == 1

    send.refresh_from_db()
    assert (send.status, len(sink.accepted)) == ("sent", 1)


def test_a_lost_claim_that_was_handed_over_is_unknown(sink, queued, now):
    send = queued()
    sending(send, now, provider_started_at=now)

    assert reclaim_lost(now=now + LEASE + A_MOMENT) == 1

    send.refresh_from_db()
    assert (send.status, send.claimed_until) == ("unknown", None)
    assert "nobody knows whether the message arrived" in send.error
    assert deliver_due(now=now + timedelta(days=1)) == 0


@pytest.mark.django_db(transaction=True)
def test_an_answer_later_than_the_lease_is_still_the_truth(sink, queued, now):
    send = queued()
    sink.during = in_own_connection(lambda: reclaim_lost(now=now + timedelta(hours=1)))

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.error) == ("sent", "")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_later_than_the_lease_is_still_the_truth(sink, queued, now):
    send = queued()
    sink.during = in_own_connection(lambda: reclaim_lost(now=now + timedelta(hours=1)))
    sink.says["DATA"] = "554 spam"

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("failed", "refused")


@pytest.mark.django_db(transaction=True)
def test_what_the_provider_reports_meanwhile_is_kept(sink, queued, now):
    send = queued()
    sink.during = in_own_connection(lambda: EmailSend.objects.update(status="delivered", delivered_at=now))

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.provider_message_id) == ("delivered", f"<{send.id}@shop.example>")
    assert send.sent_at


@pytest.mark.django_db(transaction=True)
def test_the_row_says_that_the_hand_over_began_before_it_begins(sink, queued, now):
    seen = []
    send = queued()
    sink.during = in_own_connection(lambda: seen.extend(EmailSend.objects.values_list("status", "provider_started_at")))

    deliver_due(now=now)

    ((status, started_at),) = seen
    send.refresh_from_db()
    assert (status, started_at) == ("sending", send.provider_started_at)


def in_own_connection(work):
    """Run ``work`` in the server's thread and give its database connection back."""

    def run():
        from django.db import connection

        try:
            work()
        finally:
            connection.close()

    return run


def test_the_tasks_deliver_and_reclaim(sink, queued, person):
    ada, ben = person(), person("ben")
    past = timezone.now() - timedelta(hours=1)
    sends = [queued(ada, at=past), queued(ben, at=past)]
    sending(sends[1], past)

    reclaim()
    deliver()

    assert [EmailSend.objects.get(id=send.id).status for send in sends] == ["sent", "sent"]


def test_history_counts_only_what_the_provider_accepted(sink, queued, person, now):
    ada = person()
    for status in ("queued", "sending", "skipped", "failed", "unknown"):
        EmailSend.objects.filter(id=queued(ada).id).update(status=status)
    assert email_history(ada.id, "sample/welcome") == (0, None)

    for status, hours in [("sent", 3), ("delivered", 2), ("bounced", 1), ("complained", 4)]:
        EmailSend.objects.filter(id=queued(ada).id).update(status=status, sent_at=now - timedelta(hours=hours))
    queued(ada, email_id="sample/reset")

    assert email_history(ada.id, "sample/welcome") == (4, now - timedelta(hours=1))
    assert sent_count(contact_id=ada.id, since=now) == 4
    assert sent_count(contact_id=ada.id, since=now, category="transactional") == 0
    assert sent_count(contact_id=ada.id, since=now + timedelta(seconds=1)) == 0
