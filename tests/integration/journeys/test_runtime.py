"""Slices of a run: waits, replays, outcomes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from contacts.models import Contact
from emails.models import EmailSend
from events.models import Event
from hogsend.authoring import days, hours, journey, minutes, send_email
from journeys.actions import retry_run
from journeys.actions.lease import claim_due, database_now
from journeys.models import JourneyRun, JourneyStep, RunStatus, WakeReason, Wakeup
from journeys.runtime import Outcome, advance_due, advance_run
from preferences.models import Preference

pytestmark = pytest.mark.django_db


def test_a_journey_that_returns_is_completed_and_says_so_as_an_event(world):
    @journey(id="short", trigger="go")
    def short(user, ctx):
        pass

    ada = world.person()
    world.event(ada, "go")

    world.advance()

    run = world.run()
    assert (run.status, run.error, run.lease_until) == (RunStatus.COMPLETED, "", None)
    assert run.ended_at is not None
    assert not Wakeup.objects.exists()
    told = Event.objects.get(name="journey:completed")
    assert told.contact_id == ada.id
    assert told.properties == {"journeyId": "short", "stateId": str(run.id), "userId": "ada"}
    assert told.hop == 1


def test_a_mail_is_queued_with_its_step_and_key(world, facts):
    @journey(id="short", trigger="go", category="news-list")
    def short(user, ctx):
        facts.calls.append(send_email(user, "hello", props={"x": 1}))

    ada = world.person()
    world.event(ada, "go", plan="trial")

    world.advance()

    run, send = world.run(), EmailSend.objects.get()
    [answer] = facts.calls
    assert (answer.send_id, answer.status, answer.reason) == (str(send.id), "queued", "")
    assert send.idempotency_key == f"journeySend:{run.id}:send:start:hello"
    assert (send.origin, send.origin_id, send.run_id, send.category) == ("journey", "short", run.id, "news-list")
    assert "hello trial" in send.html
    assert world.steps() == ["user", "send:start:hello"]


def test_the_mails_own_category_holds_when_the_journey_has_none(world):
    from emails.definitions import Email

    Email("news/receipt", category="transactional", subject="Receipt")

    @journey(id="short", trigger="go")
    def short(user, ctx):
        send_email(user, "hello")
        send_email(user, "bye", category="transactional")

    world.event(world.person(), "go")

    world.advance()

    assert list(EmailSend.objects.order_by("created_at").values_list("category", flat=True)) == [
        "journey",
        "transactional",
    ]


def test_a_mail_that_may_not_be_sent_is_recorded_with_its_reason_and_the_run_goes_on(world, facts):
    @journey(id="short", trigger="go")
    def short(user, ctx):
        facts.calls.append(send_email(user, "hello"))
        facts.calls.append(send_email(user, "bye", category="transactional"))

    ada = world.person()
    Preference.objects.create(contact=ada, categories={"journey": False})
    world.event(ada, "go")

    world.advance()

    assert [(sent.status, sent.reason) for sent in facts.calls] == [("skipped", "category_opted_out"), ("queued", "")]
    assert world.run().status == RunStatus.COMPLETED


def test_a_sleeping_run_holds_one_wakeup_and_no_lease(world):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        ctx.sleep(days(2), label="settled-in")

    world.event(world.person(), "go")

    world.advance()

    run, wakeup = world.run(), Wakeup.objects.get()
    step = JourneyStep.objects.get(key="sleep:settled-in")
    assert (run.status, run.node, run.lease_until, run.crash_count) == (RunStatus.WAITING, "settled-in", None, 0)
    assert (wakeup.reason, wakeup.step_key, wakeup.claimed_until) == (WakeReason.TIMER, step.key, None)
    assert step.deadline == wakeup.due_at
    assert abs(wakeup.due_at - database_now() - timedelta(days=2)) < timedelta(minutes=1)


def test_a_replay_repeats_neither_mails_nor_reads_nor_calls(world, facts):
    @journey(id="walk", trigger="go")
    def walk(user, ctx):
        found = ctx.history.has_event("looked")
        number = ctx.once("roll", lambda: facts.calls.append("rolled") or len(facts.calls))
        now = ctx.now()
        sent = send_email(user, "hello")
        facts.seen.append((found, number, now, sent, user, ctx.guard.is_subscribed(), ctx.history.journey("walk")))
        ctx.sleep(hours(1), label="nap")
        facts.after = (bool(ctx.history.has_event("looked")), ctx.guard.is_subscribed())
        send_email(user, "bye")

    facts.seen = []
    ada = world.person()
    world.event(ada, "go", plan="trial")
    world.advance()
    world.event(ada, "looked")
    Preference.objects.create(contact=ada, unsubscribed_all=True)
    Contact.objects.update(email="new@example.com")

    world.wake()

    first, second = facts.seen
    assert first == second
    assert [type(item) for item in first] == [type(item) for item in second]
    assert not first[0]
    assert first[4].email == "ada@example.com"
    assert facts.calls == ["rolled"]
    assert facts.after == (True, False)
    assert world.sent() == ["hello", "bye"]
    assert world.run().status == RunStatus.COMPLETED


def test_a_sleep_of_400_days_ends_when_its_time_has_come_and_not_before(world, facts):
    @journey(id="hibernate", trigger="go")
    def hibernate(user, ctx):
        send_email(user, "hello")
        facts.slept = ctx.sleep(days(400), label="winter")
        send_email(user, "bye")

    world.event(world.person(), "go")
    world.advance()
    almost = Wakeup.objects.get().due_at - timedelta(microseconds=1)
    assert claim_due(now=almost) == []

    world.wake()

    assert world.sent() == ["hello", "bye"]
    step = JourneyStep.objects.get(key="sleep:winter")
    assert step.deadline - step.created_at == timedelta(days=400)
    assert facts.slept.slept_at == step.created_at
    assert facts.slept.resumed_at.tzinfo is not None


def test_a_wakeup_that_comes_too_early_lets_the_run_sleep_on(world):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        ctx.sleep(days(2), label="nap")
        send_email(user, "bye")

    world.event(world.person(), "go")
    world.advance()
    due_at = Wakeup.objects.get().due_at
    Wakeup.objects.create(run=world.run(), reason=WakeReason.RETRY, due_at=database_now() - timedelta(seconds=1))

    world.advance()

    assert world.sent() == []
    assert [(wakeup.reason, wakeup.due_at) for wakeup in Wakeup.objects.all()] == [("timer", due_at)]
    assert world.run().status == RunStatus.WAITING


def test_changing_the_length_of_a_wait_that_has_begun_changes_nothing(world, facts):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        ctx.sleep(facts.length, label="nap")
        send_email(user, "bye")

    facts.length = hours(1)
    world.event(world.person(), "go")
    world.advance()
    facts.length = days(30)

    world.wake()

    assert world.sent() == ["bye"]


@pytest.mark.parametrize(
    "moment", [datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00"]
)
def test_sleeping_until_what_is_past_goes_on_at_once(world, facts, moment):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        facts.slept = ctx.sleep_until(moment, label="then")

    world.event(world.person(), "go")

    assert advance_due(limit=10) == 1

    assert world.run().status == RunStatus.COMPLETED
    assert world.run().node == "start"
    assert world.steps() == ["user", "sleep:then"]


def test_a_datetime_and_its_iso_text_wait_equally_long(world):
    moment = datetime(2999, 1, 1, 12, tzinfo=UTC)

    @journey(id="one", trigger="go")
    def one(user, ctx):
        ctx.sleep_until(moment)

    @journey(id="two", trigger="go")
    def two(user, ctx):
        ctx.sleep_until(moment.isoformat())

    world.event(world.person(), "go")

    world.advance()

    assert [wakeup.due_at for wakeup in Wakeup.objects.all()] == [moment, moment]
    assert set(JourneyRun.objects.values_list("node", flat=True)) == {"wait-until:2999-01-01T12:00:00+00:00"}


@pytest.mark.parametrize("moment", ["tomorrow", "2030-01-01", datetime(2030, 1, 1), 5, None])  # noqa: DTZ001
def test_sleeping_until_what_is_no_moment_fails_with_a_sentence(world, moment):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        ctx.sleep_until(moment)

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.FAILED
    assert "TypeError: ctx.sleep_until takes a datetime with a zone" in world.run().error


@pytest.mark.parametrize(("length", "sentence"), [(5, "like days(2)"), (-hours(1), "must not be negative")])
def test_sleeping_for_what_is_no_duration_fails_with_a_sentence(world, length, sentence):
    @journey(id="nap", trigger="go")
    def nap(user, ctx):
        ctx.sleep(length)

    world.event(world.person(), "go")

    world.advance()

    assert sentence in world.run().error


def test_waits_without_labels_are_told_apart(world):
    @journey(id="naps", trigger="go")
    def naps(user, ctx):
        for _ in range(3):
            send_email(user, "hello")
            ctx.sleep(minutes(90))

    world.event(world.person(), "go")
    world.advance()

    for _ in range(3):
        world.wake()

    assert world.sent() == ["hello"] * 3
    assert [key for key in world.steps() if key.startswith("sleep")] == [
        "sleep:wait:1h30m",
        "sleep:wait:1h30m#2",
        "sleep:wait:1h30m#3",
    ]
    assert world.run().status == RunStatus.COMPLETED


def test_a_checkpoint_is_shown_and_gives_later_mails_their_place(world):
    @journey(id="places", trigger="go")
    def places(user, ctx):
        ctx.checkpoint("greeted")
        send_email(user, "hello")
        ctx.sleep(hours(1), label="nap")

    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert world.steps() == ["user", "checkpoint:greeted", "send:greeted:hello", "sleep:nap"]


def test_two_mails_of_one_kind_in_one_place_fail_and_ask_for_a_key(world):
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        send_email(user, "hello")
        send_email(user, "hello")

    world.event(world.person(), "go")

    world.advance()

    assert world.sent() == ["hello"]
    assert world.run().status == RunStatus.FAILED
    assert "DuplicateStepKeyError" in world.run().error
    assert "key='…'" in world.run().error


def test_a_key_tells_two_mails_of_one_kind_apart(world):
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        send_email(user, "hello")
        send_email(user, "hello", key="again")

    world.event(world.person(), "go")

    world.advance()

    assert world.sent() == ["hello", "hello"]
    assert world.run().status == RunStatus.COMPLETED


def test_a_line_inserted_before_a_recorded_mail_does_not_send_that_mail_again(world, facts):
    @journey(id="edited", trigger="go")
    def edited(user, ctx):
        if facts.new_code:
            send_email(user, "news")
        send_email(user, "hello")
        ctx.sleep(hours(1), label="nap")
        send_email(user, "bye")

    facts.new_code = False
    world.event(world.person(), "go")
    world.advance()
    facts.new_code = True

    world.wake()

    assert world.sent() == ["hello", "news", "bye"]


def test_a_wait_that_was_removed_from_the_code_is_passed_by(world, facts):
    @journey(id="edited", trigger="go")
    def edited(user, ctx):
        send_email(user, "hello")
        if not facts.new_code:
            ctx.sleep(days(30), label="gone")
        send_email(user, "bye")

    facts.new_code = False
    world.event(world.person(), "go")
    world.advance()
    facts.new_code = True

    world.wake()

    assert world.sent() == ["hello", "bye"]
    assert world.run().status == RunStatus.COMPLETED
    assert not Wakeup.objects.exists()


@pytest.mark.parametrize("swallow", ["exception", "everything", "finally"])
def test_a_journey_that_swallows_its_suspension_is_suspended_all_the_same(world, swallow):
    @journey(id="greedy", trigger="go")
    def greedy(user, ctx):
        try:
            ctx.sleep(hours(1), label="nap")
        except Exception:  # noqa: BLE001
            send_email(user, "news")
        except BaseException:
            if swallow != "everything":
                raise
        finally:
            if swallow == "finally":
                send_email(user, "news")
        send_email(user, "bye")

    world.event(world.person(), "go")

    world.advance()

    assert world.sent() == []
    assert world.run().status == RunStatus.WAITING
    assert Wakeup.objects.get().reason == "timer"


def test_returning_after_a_swallowed_suspension_does_not_complete_the_run(world):
    @journey(id="greedy", trigger="go")
    def greedy(user, ctx):
        try:
            ctx.sleep(hours(1), label="nap")
        except BaseException:  # noqa: BLE001
            return

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.WAITING


def test_an_error_of_the_journey_fails_the_run_keeps_its_traceback_and_says_so_as_an_event(world):
    @journey(id="broken", trigger="go")
    def broken(user, ctx):
        send_email(user, "hello")
        raise LookupError("no such plan")

    world.event(world.person(), "go")

    world.advance()

    run = world.run()
    assert run.status == RunStatus.FAILED
    assert run.error.startswith("Traceback")
    assert "LookupError: no such plan" in run.error
    assert world.sent() == ["hello"]
    assert not Wakeup.objects.exists()
    told = Event.objects.get(name="journey:failed").properties
    assert told == {
        "journeyId": "broken",
        "stateId": str(run.id),
        "userId": "ada",
        "error": "LookupError: no such plan",
    }


def test_an_error_while_a_mail_is_rendered_undoes_the_mail(world):
    @journey(id="broken", trigger="go")
    def broken(user, ctx):
        send_email(user, "no-such-mail")

    world.event(world.person(), "go")

    world.advance()

    assert "There is no e-mail 'no-such-mail'" in world.run().error
    assert world.sent() == []
    assert world.steps() == ["user"]


def test_an_error_of_the_database_postpones_the_run_and_fails_nothing(world, facts):
    @journey(id="unlucky", trigger="go")
    def unlucky(user, ctx):
        send_email(user, "hello")
        facts.calls.append("called")
        if len(facts.calls) < 3:
            raise OperationalError("server closed the connection")
        send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())

    assert advance_run(due) is Outcome.POSTPONED

    run, wakeup = world.run(), Wakeup.objects.get()
    assert (run.status, run.crash_count, run.lease_until) == (RunStatus.ACTIVE, 0, None)
    assert "server closed the connection" in run.error
    assert wakeup.claimed_until is None
    assert timedelta(0) < wakeup.due_at - database_now() <= timedelta(seconds=1)
    world.wake()
    world.wake()
    assert world.sent() == ["hello", "bye"]
    assert (world.run().status, world.run().error) == (RunStatus.COMPLETED, "")


@pytest.mark.django_db(transaction=True)
def test_a_journey_cannot_swallow_an_error_of_the_database_and_lose_the_mail(world, facts):
    @journey(id="greedy", trigger="go")
    def greedy(user, ctx):
        if not facts.calls:
            facts.calls.append("cut")
            with suppress(Exception), connection.cursor() as cursor:
                cursor.execute("select pg_terminate_backend(pg_backend_pid())")
        with suppress(Exception):
            send_email(user, "hello")
        with suppress(Exception):
            send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())

    assert advance_run(due) is Outcome.POSTPONED

    assert world.sent() == []
    assert (world.run().status, world.run().lease_until) == (RunStatus.ACTIVE, None)
    world.wake()
    assert world.sent() == ["hello", "bye"]


@pytest.mark.django_db(transaction=True)
def test_a_mail_undone_by_an_error_while_it_is_recorded_is_sent_by_the_next_try(world, facts):
    @journey(id="unlucky", trigger="go")
    def unlucky(user, ctx):
        send_email(user, "hello")

    world.event(world.person(), "go")
    with connection.cursor() as cursor:
        cursor.execute(
            "alter table journeys_journeystep add constraint no_steps check (key not like 'send%') not valid"
        )
    try:
        world.advance()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table journeys_journeystep drop constraint no_steps")
    assert (world.run().status, world.sent(), world.steps()) == (RunStatus.FAILED, [], ["user"])

    retry_run(run_id=world.run().id)
    world.advance()

    assert (world.run().status, world.sent()) == (RunStatus.COMPLETED, ["hello"])


def test_labels_and_keys_that_cannot_be_stored_as_they_are_work_all_the_same(world):
    @journey(id="odd", trigger="go")
    def odd(user, ctx):
        ctx.checkpoint("a\0b")
        ctx.guard.is_subscribed("c\0d")
        ctx.once("e\0", lambda: 1)
        send_email(user, "hello", key="f\0")
        ctx.sleep(hours(1), label="g\ud800")

    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert world.run().status == RunStatus.COMPLETED
    assert world.sent() == ["hello"]
    assert world.steps() == ["user", "checkpoint:ab", "guard:ab:cd", "once:e", "send:f:hello", "sleep:g?"]


def test_an_error_that_cannot_be_stored_as_it_is_fails_the_run_all_the_same(world):
    @journey(id="odd", trigger="go")
    def odd(user, ctx):
        raise LookupError("a\0b\ud800c")

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.FAILED
    assert "LookupError: ab?c" in world.run().error


def test_a_journey_that_is_not_in_the_code_leaves_its_runs_waiting_and_says_so(world):
    from journeys.definitions import registry

    with registry.scratch():

        @journey(id="removed", trigger="go")
        def removed(user, ctx):
            send_email(user, "hello")

        world.event(world.person(), "go")

    world.advance()

    run, wakeup = world.run(), Wakeup.objects.get()
    assert (run.status, run.crash_count, run.lease_token) == (RunStatus.ACTIVE, 0, 0)
    assert run.error == "The journey 'removed' is not in the code that runs here; put it back, or cancel the run."
    assert wakeup.due_at > database_now()
    assert wakeup.claimed_until is None

    journey(id="removed", trigger="go")(removed.run)
    world.wake()
    assert world.sent() == ["hello"]
    assert (world.run().status, world.run().error) == (RunStatus.COMPLETED, "")


def test_a_run_whose_journey_is_filtered_out_waits_for_the_filter_to_change(world, settings):
    @journey(id="here", trigger="go")
    def here(user, ctx):
        send_email(user, "hello")

    world.event(world.person(), "go")
    settings.ENABLED_JOURNEYS = frozenset({"elsewhere"})

    world.advance()

    assert "ENABLED_JOURNEYS" in world.run().error
    settings.ENABLED_JOURNEYS = None
    world.wake()
    assert world.sent() == ["hello"]


def test_switching_a_journey_off_does_not_stop_who_is_on_the_way(world):
    from journeys.models import JourneyOverride

    @journey(id="here", trigger="go")
    def here(user, ctx):
        send_email(user, "hello")

    world.event(world.person(), "go")
    JourneyOverride.objects.create(journey_id="here", enabled=False)

    world.advance()

    assert world.sent() == ["hello"]


def test_the_run_of_somebody_who_was_deleted_ends_without_a_mail(world):
    @journey(id="here", trigger="go")
    def here(user, ctx):
        send_email(user, "hello")

    world.event(world.person(), "go")
    Contact.objects.update(deleted_at=database_now())

    world.advance()

    assert (world.run().status, world.run().exit_reason) == (RunStatus.EXITED, "contact_deleted")
    assert EmailSend.objects.count() == 0


def test_a_run_that_moved_to_another_person_while_it_was_advanced_mails_that_person(world):
    @journey(id="merged", trigger="go")
    def merged(user, ctx):
        JourneyRun.objects.update(contact=survivor)
        send_email(user, "hello")
        ctx.sleep(hours(1), label="nap")

    survivor = world.person("survivor")
    world.event(world.person("absorbed"), "go")

    world.advance()

    assert EmailSend.objects.get().contact_id == survivor.id
    assert world.run().status == RunStatus.WAITING


def test_a_journey_may_end_itself_with_a_reason(world):
    @journey(id="picky", trigger="go")
    def picky(user, ctx):
        try:
            ctx.exit("not for them")
        except Exception:  # noqa: BLE001
            send_email(user, "news")
        send_email(user, "bye")

    world.event(world.person(), "go")

    world.advance()

    assert (world.run().status, world.run().exit_reason) == (RunStatus.EXITED, "not for them")
    assert world.sent() == []
    assert not Wakeup.objects.exists()
    assert not Event.objects.filter(name__startswith="journey:").exists()


def test_a_journey_must_not_call_ctx_in_a_transaction_of_its_own(world):
    @journey(id="atomic", trigger="go")
    def atomic(user, ctx):
        with transaction.atomic():
            send_email(user, "hello")

    world.event(world.person(), "go")

    world.advance()

    assert (
        "OpenTransactionError: A journey must not call ctx or send_email inside transaction.atomic()"
        in world.run().error
    )
    assert world.sent() == []


def test_results_must_be_json(world):
    @journey(id="objects", trigger="go")
    def objects(user, ctx):
        ctx.once("thing", object)

    world.event(world.person(), "go")

    world.advance()

    assert "TypeError: The result of 'once:thing' is not JSON" in world.run().error


def test_a_result_over_64_kib_is_refused(world):
    @journey(id="large", trigger="go")
    def large(user, ctx):
        ctx.once("fits", lambda: "x" * (64 * 1024 - 2))
        ctx.once("large", lambda: "x" * (64 * 1024 - 1))

    world.event(world.person(), "go")

    world.advance()

    assert "'once:large' has 65,537 bytes; a run records at most 65,536" in world.run().error
    assert world.steps() == ["user", "once:fits"]


def test_an_endless_loop_ends_at_a_thousand_steps_even_if_it_swallows_every_error(world):
    @journey(id="endless", trigger="go")
    def endless(user, ctx):
        while True:
            with suppress(Exception):
                ctx.now()

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.FAILED
    assert world.run().error.startswith("step_limit: a run records at most 1,000 steps")


def test_a_wait_that_a_replay_does_not_find_again_fails_instead_of_sleeping_for_ever(world, facts):
    @journey(id="computed", trigger="go")
    def computed(user, ctx):
        facts.calls.append(1)
        ctx.sleep(timedelta(seconds=60 + len(facts.calls)))
        send_email(user, "bye")

    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert world.run().status == RunStatus.FAILED
    assert (
        "UnstableReplayError: The run waited at 'sleep:wait:1m1s', but its replay came to another wait"
        in world.run().error
    )


def test_history_counts_what_happened_within_the_time(world, facts):
    @journey(id="reader", trigger="go")
    def reader(user, ctx):
        facts.ever = ctx.history.has_event("looked")
        facts.lately = ctx.history.has_event("looked", within=hours(1))
        facts.never = ctx.history.has_event("bought")

    ada, ben = world.person("ada"), world.person("ben")
    for person in (ada, ada, ben):
        world.event(person, "looked")
    Event.objects.filter(contact=ada, name="looked").order_by("id").first()
    old = Event.objects.filter(contact=ada, name="looked").order_by("id").values_list("id", flat=True)[0]
    Event.objects.filter(id=old).update(occurred_at=database_now() - timedelta(hours=2))
    world.event(ada, "go")

    world.advance()

    assert (facts.ever.found, facts.ever.count, bool(facts.ever)) == (True, 2, True)
    assert (facts.lately.found, facts.lately.count) == (True, 1)
    assert (facts.never.found, facts.never.count, bool(facts.never)) == (False, 0, False)


def test_history_knows_other_journeys_and_accepted_mails_only(world, facts):
    @journey(id="first", trigger="go.first", entry_limit="unlimited")
    def first(user, ctx):
        send_email(user, "hello")
        send_email(user, "bye")

    @journey(id="reader", trigger="go")
    def reader(user, ctx):
        facts.journey = ctx.history.journey("first")
        facts.unknown = ctx.history.journey("unknown")
        facts.hello = ctx.history.email("hello")
        facts.bye = ctx.history.email("bye")

    ada = world.person()
    for _ in range(2):
        world.event(ada, "go.first")
        world.advance()
    sent_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    EmailSend.objects.filter(email_id="hello").update(status="sent", sent_at=sent_at)
    world.event(ada, "go")

    world.advance()

    assert (facts.journey.completed, facts.journey.entry_count) == (True, 2)
    assert facts.journey.last_completed_at == JourneyRun.objects.filter(journey_id="first").latest("ended_at").ended_at
    assert (facts.unknown.completed, facts.unknown.entry_count, facts.unknown.last_completed_at) == (False, 0, None)
    assert (facts.hello.sent, facts.hello.count, facts.hello.last_sent_at) == (True, 2, sent_at)
    assert (facts.bye.sent, facts.bye.count) == (False, 0)


def test_the_guard_knows_all_mail_and_single_categories(world, facts):
    @journey(id="asker", trigger="go")
    def asker(user, ctx):
        facts.calls += [ctx.guard.is_subscribed(), ctx.guard.is_subscribed("journey"), ctx.guard.is_subscribed("other")]

    ada = world.person()
    Preference.objects.create(contact=ada, categories={"journey": False})
    world.event(ada, "go")

    world.advance()

    assert facts.calls == [True, False, True]


def test_sending_outside_a_journey_says_what_to_do(world, facts):
    from journeys.control import NotInJourneyError

    @journey(id="leaky", trigger="go")
    def leaky(user, ctx):
        facts.user = user

    world.event(world.person(), "go")
    world.advance()

    with pytest.raises(NotInJourneyError, match="POST /v1/emails"):
        send_email(facts.user, "hello")


def test_sending_to_the_person_of_another_run_is_refused(world, facts):
    from dataclasses import replace

    from hogsend.lib.ids import new_id

    @journey(id="confused", trigger="go")
    def confused(user, ctx):
        send_email(replace(user, run_id=new_id()), "hello")

    world.event(world.person(), "go")

    world.advance()

    assert "pass it the user that run(user, ctx) was given" in world.run().error
