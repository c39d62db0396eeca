"""Events that journeys cause: about their person and about others, once each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from contacts.models import Contact, ContactMerge, KeyConflict
from emails.models import EmailSend
from events.models import Event, IdempotencyKey
from hogsend.authoring import Triggered, hours, journey, send_email
from journeys.actions.lease import claim_due, database_now
from journeys.models import JourneyRun, JourneyStep, RunStatus, Wakeup
from journeys.runtime import Outcome, advance_run
from tests import people

pytestmark = pytest.mark.django_db

failures: list[Exception] = []


def fail_once(batch) -> None:
    """A consumer that fails as often as the test wants."""
    if failures and any(event.name == "referred" for event in batch.events):
        raise failures.pop()


def result_of(key: str):
    return JourneyStep.objects.get(key=key).result


def test_an_event_about_the_runs_person_starts_what_waits_for_it(world, facts):
    @journey(id="first", trigger="go")
    def first(user, ctx):
        facts.calls.append(ctx.trigger("trial.ending", {"days": 3, "plan": {"name": "pro"}}))
        ctx.sleep(hours(1))

    @journey(id="second", trigger="trial.ending")
    def second(user, ctx):
        send_email(user, "hello")

    ada = world.person()
    started_by = world.event(ada, "go")

    world.advance()
    world.wake()

    event = Event.objects.get(name="trial.ending")
    assert (event.contact_id, event.properties, event.hop) == (ada.id, {"days": 3, "plan": {"name": "pro"}}, 1)
    assert facts.calls == [Triggered(str(event.id), stored=True)] * 2
    assert world.sent(ada) == ["hello"]
    assert JourneyStep.objects.get(key="trigger:start:trial.ending").result["event_id"] == str(event.id)
    run_id = JourneyRun.objects.get(trigger_event_id=started_by.id).id
    assert IdempotencyKey.objects.get().key == f"journeyTrigger:{run_id}:trigger:start:trial.ending"


def test_an_event_for_somebody_unknown_makes_a_contact_of_what_was_given_and_nothing_else(world):
    @journey(id="referral", trigger="go")
    def referral(user, ctx):
        ctx.trigger("referred", {"by": user.id}, user_id="eve")

    world.event(world.person(), "go")

    world.advance()

    eve = Contact.objects.get(external_id="eve")
    assert (eve.email, eve.anonymous_id) == (None, None)
    assert Event.objects.get(name="referred").contact_id == eve.id
    assert Contact.objects.get(external_id="ada").email == "ada@example.com"
    assert not ContactMerge.objects.exists()
    assert not KeyConflict.objects.exists()


def test_an_event_for_somebody_known_finds_them_and_does_not_say_that_they_were_seen(world):
    ben = people.ben()

    @journey(id="referral", trigger="go")
    def referral(user, ctx):
        ctx.trigger("referred", email=" Ben@Example.com ")

    world.event(world.person(), "go")

    world.advance()

    assert Event.objects.get(name="referred").contact_id == ben.id
    assert Contact.objects.get(id=ben.id).last_seen_at == ben.last_seen_at


def test_mail_that_another_persons_journey_causes_never_goes_to_a_borrowed_address(world):
    @journey(id="referral", trigger="go")
    def referral(user, ctx):
        ctx.trigger("referred", {"email": user.email, "to": user.email}, user_id="eve")

    @journey(id="welcome", trigger="referred")
    def welcome(user, ctx):
        send_email(user, "hello")

    world.event(world.person(), "go")

    world.advance()

    send = EmailSend.objects.get()
    assert (send.to_email, send.status, send.reason) == ("", "skipped", "no_address")
    assert send.contact.external_id == "eve"


def test_nothing_goes_to_an_empty_address_and_a_later_one_is_found(world):
    @journey(id="short", trigger="go")
    def short(user, ctx):
        assert user.email == ""
        send_email(user, "hello")
        ctx.sleep(hours(1))
        send_email(user, "bye")

    ada = world.person(email=None)
    world.event(ada, "go", email="somebody@else.example")
    world.advance()
    Contact.objects.filter(id=ada.id).update(email="ada@example.com")

    world.wake()

    sends = EmailSend.objects.order_by("created_at").values_list("to_email", "status", "reason")
    assert list(sends) == [("", "skipped", "no_address"), ("ada@example.com", "queued", "")]


@pytest.mark.parametrize(
    ("arguments", "more", "sentence"),
    [
        (("email.opened",), {}, "Names that begin with 'email.' are reserved for the engine; choose another name."),
        (("  ",), {}, "name must have 1 to 200 characters."),
        ((None,), {}, "name is not valid"),
        (("x", {"at": object()}), {}, "not JSON serializable"),
        (("x", {"share": float("nan")}), {}, "not JSON compliant"),
        (("x", {"text": "a\0b"}), {}, "holds a NUL character"),
        (("x", {"text": "\ud800"}), {}, "surrogates not allowed"),
        (("x", {"text": "x" * 1_100_000}), {}, "it has more than 1,048,576 bytes; send an id instead."),
        (("x",), {"user_id": " "}, "say whose event this is"),
        (("x",), {"email": "nonsense"}, "email must be an e-mail address like ada@example.com."),
        (("x",), {"user_id": 7}, "userId is not valid"),
    ],
)
def test_what_the_public_api_refuses_a_journey_cannot_record(world, arguments, more, sentence):
    @journey(id="wrong", trigger="go")
    def wrong(user, ctx):
        ctx.trigger(*arguments, **more)

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.FAILED
    assert "EventRefusedError: ctx.trigger cannot record" in world.run().error
    assert sentence in world.run().error
    assert not Event.objects.exclude(name__in=["go", "journey:failed"]).exists()


def test_two_events_of_one_name_need_a_key(world):
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        ctx.trigger("x")
        ctx.trigger("x", key="again")
        ctx.trigger("x")

    world.event(world.person(), "go")

    world.advance()

    assert "DuplicateStepKeyError: This run has met the step 'trigger:start:x' before" in world.run().error
    assert Event.objects.filter(name="x").count() == 2


def test_an_event_that_ends_its_own_run_is_recorded_and_nothing_follows(world):
    @journey(id="trial", trigger="go", exit_on=["converted"])
    def trial(user, ctx):
        ctx.now()
        ctx.trigger("converted")
        send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())

    outcome = advance_run(due)

    assert outcome is Outcome.EXITED
    assert (world.run().status, world.run().exit_reason) == (RunStatus.EXITED, "converted")
    assert Event.objects.filter(name="converted").count() == 1
    assert world.steps() == ["user", "now:start", "trigger:start:converted"]
    assert world.sent() == []
    assert not Wakeup.objects.exists()


def test_an_event_by_which_the_person_turns_out_to_be_another_lets_the_run_go_on_for_them(world):
    survivor = people.person(user_id="sam", email="sam@example.com")
    visitor = people.cleo()

    @journey(id="recognised", trigger="go")
    def recognised(user, ctx):
        ctx.trigger("logged-in", user_id="sam", anonymous_id="cleo-visit")
        send_email(user, "hello")

    world.event(visitor, "go")

    world.advance()

    assert Contact.objects.get(id=visitor.id).merged_into_id == survivor.id
    assert (world.run().contact_id, world.run().status) == (survivor.id, RunStatus.COMPLETED)
    assert Event.objects.get(name="logged-in").contact_id == survivor.id
    assert EmailSend.objects.get().to_email == "sam@example.com"


def test_journeys_that_start_each_other_end_and_say_why(world, settings):
    settings.HOGSEND_MAX_HOPS = 3

    @journey(id="ping", trigger="ping", entry_limit="unlimited")
    def ping(user, ctx):
        ctx.trigger("pong")

    @journey(id="pong", trigger="pong", entry_limit="unlimited")
    def pong(user, ctx):
        ctx.trigger("ping")

    world.event(world.person(), "ping")

    world.advance()

    hops = Event.objects.filter(name__in=["ping", "pong"]).order_by("seq").values_list("name", "hop")
    assert list(hops) == [("ping", 0), ("pong", 1), ("ping", 2), ("pong", 3)]
    last = JourneyStep.objects.filter(kind="trigger").order_by("-id")[0].result
    assert last == {
        "event_id": "",
        "stored": False,
        "reason": "3 events led to this run, each by the one before; journeys that start each other end here.",
    }
    assert set(JourneyRun.objects.values_list("status", flat=True)) == {"completed"}


def test_what_fails_on_the_way_leaves_neither_event_nor_step_and_is_done_once_afterwards(world, settings):
    settings.HOGSEND_EVENT_CONSUMERS = [*settings.HOGSEND_EVENT_CONSUMERS, f"{__name__}.fail_once"]
    failures[:] = [OperationalError("the server went away")]

    @journey(id="referral", trigger="go")
    def referral(user, ctx):
        ctx.trigger("referred", user_id="eve")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())
    assert advance_run(due) is Outcome.POSTPONED
    assert not Event.objects.filter(name="referred").exists()
    assert not Contact.objects.filter(external_id="eve").exists()
    assert world.steps() == []

    world.wake()

    assert Event.objects.filter(name="referred").count() == 1
    assert world.run().status == RunStatus.COMPLETED


def test_a_run_that_was_taken_over_records_no_event(world):
    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        JourneyRun.objects.update(lease_token=99)
        ctx.trigger("x", user_id="eve")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())

    outcome = advance_run(due)

    assert outcome is Outcome.LOST
    assert not Event.objects.filter(name="x").exists()
    assert not Contact.objects.filter(external_id="eve").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(90)
def test_journeys_that_trigger_each_others_people_at_once_all_get_through(world, in_thread):
    everybody = [people.person(user_id=f"p{number}", email=f"p{number}@example.com") for number in range(4)]

    @journey(id="wave", trigger="wave", entry_limit="unlimited")
    def wave(user, ctx):
        number = int(user.id[1:])
        for step in range(1, 4):
            ctx.trigger("waved", {"by": user.id}, user_id=f"p{(number + step) % 4}", key=f"to-{step}")

    @journey(id="greeted", trigger="waved", entry_limit="unlimited")
    def greeted(user, ctx):
        ctx.trigger("back", user_id=user.properties["by"])

    def advance(due) -> Outcome:
        barrier.wait()
        return advance_run(due)

    outcomes: list[Outcome] = []
    barrier = threading.Barrier(4, timeout=30)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(6):
            for person in everybody:
                world.event(person, "wave")
            outcomes += pool.map(in_thread(advance), claim_due(now=database_now()))
            world.advance()

    assert outcomes == [Outcome.COMPLETED] * 24
    assert Event.objects.filter(name="waved").count() == 24 * 3
    assert set(JourneyRun.objects.values_list("status", flat=True)) == {"completed"}
