"""The least time between two mails of one journey to one person."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import transaction

from contacts.actions import merge_contacts
from emails.actions import SendRequest, queue_email
from emails.models import EmailSend, Origin, Reason, SendStatus
from hogsend.authoring import hours, journey, send_email
from journeys.actions.lease import database_now
from tests import people

pytestmark = pytest.mark.django_db


def verdicts() -> list[tuple[str, str, str]]:
    return list(EmailSend.objects.order_by("created_at", "id").values_list("email_id", "status", "reason"))


def age(duration: timedelta) -> None:
    """Let all mail so far be as old as ``duration``."""
    EmailSend.objects.update(created_at=database_now() - duration)


def test_a_mail_that_comes_too_soon_is_skipped_with_its_reason(world, facts):
    @journey(id="eager", trigger="go", suppress=hours(12))
    def eager(user, ctx):
        facts.calls += [send_email(user, "hello"), send_email(user, "bye")]

    world.event(world.person(), "go")

    world.advance()

    assert verdicts() == [("hello", "queued", ""), ("bye", "skipped", "suppress_gap")]
    assert (facts.calls[1].status, facts.calls[1].reason) == ("skipped", "suppress_gap")
    assert EmailSend.objects.get(email_id="bye").html == ""


@pytest.mark.parametrize(("passed", "sent"), [(timedelta(hours=12), True), (timedelta(hours=11, minutes=59), False)])
def test_the_time_counts_from_one_enrolment_to_the_next(world, passed, sent):
    @journey(id="often", trigger="go", entry_limit="unlimited", suppress=hours(12))
    def often(user, ctx):
        send_email(user, "hello")

    ada = world.person()
    world.event(ada, "go")
    world.advance()
    age(passed)

    world.event(ada, "go")
    world.advance()

    assert verdicts()[1] == (("hello", "queued", "") if sent else ("hello", "skipped", "suppress_gap"))


def test_a_mail_that_was_held_up_counts_from_when_the_provider_took_it(world):
    @journey(id="often", trigger="go", entry_limit="unlimited", suppress=hours(12))
    def often(user, ctx):
        send_email(user, "hello")

    ada = world.person()
    world.event(ada, "go")
    world.advance()
    age(timedelta(days=2))
    EmailSend.objects.update(status=SendStatus.SENT, sent_at=database_now() - timedelta(hours=1))

    world.event(ada, "go")
    world.advance()

    assert verdicts()[1] == ("hello", "skipped", "suppress_gap")


def test_what_was_skipped_does_not_make_the_next_wait(world):
    @journey(id="often", trigger="go", entry_limit="unlimited", suppress=hours(12))
    def often(user, ctx):
        send_email(user, "hello")

    ada = world.person(email=None)
    world.event(ada, "go")
    world.advance()
    ada.email = "ada@example.com"
    ada.save()

    world.event(ada, "go")
    world.advance()

    assert verdicts() == [("hello", "skipped", "no_address"), ("hello", "queued", "")]


def test_other_journeys_and_other_people_are_not_waited_for(world):
    for name in ("one", "two"):

        @journey(id=name, trigger="go", suppress=hours(12))
        def greeting(user, ctx):
            send_email(user, "hello")

    for key in ("ada", "ben"):
        world.event(world.person(key), "go")

    world.advance()

    assert verdicts() == [("hello", "queued", "")] * 4


def test_transactional_mail_neither_waits_nor_makes_others_wait(world):
    @journey(id="receipts", trigger="go", suppress=hours(12))
    def receipts(user, ctx):
        send_email(user, "news", category="transactional")
        send_email(user, "hello")
        send_email(user, "bye", category="transactional")

    world.event(world.person(), "go")

    world.advance()

    assert verdicts() == [("news", "queued", ""), ("hello", "queued", ""), ("bye", "queued", "")]


def test_consent_is_the_reason_before_the_gap_is(world):
    @journey(id="often", trigger="go", suppress=hours(12))
    def often(user, ctx):
        send_email(user, "hello")
        people.dora()
        send_email(user, "bye")

    dora = people.person(user_id="dora", email="dora@example.com")
    world.event(dora, "go")

    world.advance()

    assert verdicts() == [("hello", "queued", ""), ("bye", "skipped", "unsubscribed")]


def test_what_the_absorbed_got_counts_for_the_survivor(world):
    @journey(id="often", trigger="go", entry_limit="unlimited", suppress=hours(12))
    def often(user, ctx):
        send_email(user, "hello")

    ada, ben = people.ada(), people.ben()
    world.event(ben, "go")
    world.advance()
    merge_contacts(survivor_id=ada.id, absorbed_id=ben.id, actor="test", now=database_now())

    world.event(ada, "go")
    world.advance()

    assert verdicts() == [("hello", "queued", ""), ("hello", "skipped", "suppress_gap")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(60)
def test_of_eight_mails_at_once_one_goes_out(in_thread):
    ada = people.ada()
    barrier = threading.Barrier(8, timeout=30)

    def ask(number: int) -> SendStatus:
        request = SendRequest(
            contact_id=ada.id, email_id="hello", origin=Origin.JOURNEY, origin_id="often", gap=timedelta(hours=1)
        )
        barrier.wait()
        with transaction.atomic():
            return queue_email(request, now=database_now()).status

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(in_thread(ask), range(8)))

    assert sorted(found) == ["queued"] + ["skipped"] * 7
    assert EmailSend.objects.filter(reason=Reason.GAP).count() == 7
