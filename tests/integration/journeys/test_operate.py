"""What operators do by hand: let people in, end a wait, switch a journey, make it stand still."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from contacts.actions import delete_contact, merge_contacts
from events.models import Event
from hogsend.authoring import days, hours, journey, prop, send_email
from hogsend.lib.ids import new_id
from journeys.actions import RunNotFoundError, RunStateError, cancel_run
from journeys.actions.invite import EnrolAnswer, EnrolResult, Guest, enrol_guests, enrol_person
from journeys.actions.lease import claim_due, database_now, take_lease
from journeys.actions.operate import set_journey, skip_wait
from journeys.actions.park import park_due, unparked
from journeys.chronicle import chronicle
from journeys.models import EnrolmentSkip, JourneyOverride, JourneyRun, JourneyStep, RunStatus, Wakeup
from preferences.models import Preference

pytestmark = pytest.mark.django_db


@pytest.fixture
def sleeper():
    @journey(id="sleeper", trigger="go", exit_on=["stop"], entry_limit="unlimited", where=prop("plan").eq("pro"))
    def sleep(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(30), label="nap")
        send_email(user, "bye")

    return sleep


@pytest.fixture
def hoper(facts):
    @journey(id="hoper", trigger="hope", entry_limit="unlimited")
    def hope(user, ctx):
        came = ctx.wait_for_event("paid", timeout=days(3), where=prop("amount").gt(5), label="pay")
        facts.calls.append("paid" if came else "timed out")

    return hope


def enter(chosen, person, **properties) -> EnrolAnswer:
    return enrol_person(journey=chosen, guest=Guest(person.id, properties), by="grace", now=database_now())


def skip(run: JourneyRun) -> None:
    skip_wait(run_id=run.id, by="grace", now=database_now())


# --- letting people in ----------------------------------------------------------------------------------------------
def test_who_is_let_in_by_hand_goes_through_the_journey_and_nothing_else_starts(world, sleeper):
    @journey(id="other", trigger="go")
    def other(user, ctx): ...

    ada = world.person()

    answer = enter(sleeper, ada, plan="free", nested={"a": 1})
    world.advance()

    run = world.run()
    assert (answer.result, answer.run_id) == (EnrolResult.ENROLLED, run.id)
    assert (run.status, run.context, run.trigger_event_id) == ("waiting", {"plan": "free"}, None)
    assert world.sent() == ["hello"]
    assert [JourneyRun.objects.count(), Event.objects.count()] == [1, 0]


def test_the_run_says_who_let_them_in_and_no_replay_is_given_it(world, sleeper, caplog):
    ada = world.person()
    enter(sleeper, ada)
    world.advance()
    world.wake()

    assert world.run().status == RunStatus.COMPLETED
    first = chronicle(world.run())[0]
    assert (first.action, first.detail["by"]) == ("entered", "grace")
    assert not JourneyStep.objects.filter(kind="drift").exists()


def test_who_is_in_the_journey_is_not_let_in_again(world, sleeper):
    ada = world.person()
    enter(sleeper, ada)

    answer = enter(sleeper, ada)

    assert (answer.result, answer.run_id, answer.reason) == (EnrolResult.ALREADY_ACTIVE, None, "already_active")
    assert "already" in answer.sentence
    assert JourneyRun.objects.count() == 1


@pytest.mark.parametrize(
    ("limit", "reason"), [("once", "already_entered_once"), ("once_per_period", "period_not_elapsed")]
)
def test_the_entry_limit_holds_for_operators_too(world, limit, reason):
    @journey(id="rare", trigger="go", entry_limit=limit)
    def rare(user, ctx): ...

    ada = world.person()
    enter(rare, ada)
    world.advance()

    answer = enter(rare, ada)

    assert (answer.result, answer.reason) == (EnrolResult.ENTRY_LIMIT, reason)


def test_who_unsubscribed_or_was_deleted_is_not_let_in(world, sleeper):
    dora, gone = world.person("dora"), world.person("gone")
    Preference.objects.create(contact=dora, unsubscribed_all=True)
    delete_contact(contact_id=gone.id, now=database_now())

    answers = [enter(sleeper, dora), enter(sleeper, gone)]

    assert [answer.result for answer in answers] == [EnrolResult.UNSUBSCRIBED, EnrolResult.GONE]
    assert not JourneyRun.objects.exists()


def test_nobody_is_let_into_a_journey_that_is_off(world, sleeper, settings):
    @journey(id="asleep", trigger="go", enabled=False)
    def asleep(user, ctx): ...

    ada = world.person()
    set_journey(journey_id="sleeper", enabled=False)

    answers = [enter(asleep, ada), enter(sleeper, ada)]
    settings.ENABLED_JOURNEYS = frozenset({"asleep"})
    answers.append(enter(sleeper, ada))

    assert {answer.result for answer in answers} == {EnrolResult.DISABLED}
    assert [answer.reason for answer in answers] == ["journey_disabled", "journey_disabled_by_admin", "left_out"]
    assert all(answer.sentence for answer in answers)


def test_many_are_let_in_together_and_each_is_answered_in_order(world, sleeper):
    ada, ben, cleo = (world.person(name) for name in ("ada", "ben", "cleo"))
    merge_contacts(survivor_id=ada.id, absorbed_id=cleo.id, actor="test", now=database_now())
    guests = [Guest(person.id, {}) for person in (ada, ben, cleo)] + [Guest(new_id(), {})]

    answers = enrol_guests(journey=sleeper, guests=guests, by="grace", now=database_now())

    assert [str(answer.result) for answer in answers] == ["enrolled", "enrolled", "already_active", "contact_gone"]
    assert set(JourneyRun.objects.values_list("contact_id", flat=True)) == {ada.id, ben.id}


@pytest.mark.parametrize("size", [1, 60])
def test_the_number_of_statements_does_not_grow_with_the_guests(world, sleeper, django_assert_max_num_queries, size):
    guests = [Guest(world.person(f"p{number}").id, {}) for number in range(size)]

    with django_assert_max_num_queries(6):
        answers = enrol_guests(journey=sleeper, guests=guests, by="grace", now=database_now())

    assert {answer.result for answer in answers} == {EnrolResult.ENROLLED}


@pytest.mark.django_db(transaction=True)
def test_two_operators_at_once_make_one_run(world, sleeper, in_thread):
    people = [world.person(f"p{number}") for number in range(8)]
    start = threading.Barrier(2)
    results: list[str] = []

    def operator(order: int) -> None:
        guests = [Guest(person.id, {}) for person in people[::order]]
        start.wait()
        answers = enrol_guests(journey=sleeper, guests=guests, by="grace", now=database_now())
        results.extend(answer.result.value for answer in answers)

    threads = [threading.Thread(target=in_thread(operator), args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["already_active"] * 8 + ["enrolled"] * 8
    assert JourneyRun.objects.count() == 8


# --- ending a wait --------------------------------------------------------------------------------------------------
def test_a_sleep_that_is_skipped_ends_at_once_and_the_run_says_who_did_it(world, sleeper):
    enter(sleeper, world.person())
    world.advance()

    skip(world.run())
    world.advance()

    assert (world.run().status, world.sent()) == ("completed", ["hello", "bye"])
    [skipped] = [entry for entry in chronicle(world.run()) if entry.action == "skipped"]
    assert skipped.detail["by"] == "grace"


def test_a_wait_for_an_event_that_is_skipped_times_out(world, hoper, facts):
    enter(hoper, world.person())
    world.advance()
    waits = world.run().status

    skip(world.run())
    world.advance()

    assert (waits, world.run().status, facts.calls) == ("waiting", "completed", ["timed out"])


def test_only_the_present_wait_is_skipped(world):
    @journey(id="two", trigger="go")
    def two(user, ctx):
        ctx.sleep(days(1), label="first")
        ctx.sleep(days(1), label="second")

    enter(two, world.person())
    world.advance()

    skip(world.run())
    world.advance()

    assert (world.run().status, world.run().node) == ("waiting", "second")


def test_a_wait_is_skipped_twice_in_a_row_with_one_effect(world, sleeper):
    enter(sleeper, world.person())
    world.advance()

    skip(world.run())
    skip(world.run())
    world.advance()

    assert world.sent() == ["hello", "bye"]


def test_what_does_not_wait_cannot_be_skipped(world, sleeper):
    enter(sleeper, world.person())
    begun = world.run()

    with pytest.raises(RunStateError, match="does not wait"):
        skip(begun)
    world.advance()
    cancel_run(run_id=begun.id, reason="test")
    with pytest.raises(RunStateError, match="ended"):
        skip(begun)
    with pytest.raises(RunNotFoundError):
        skip_wait(run_id=new_id(), by="grace", now=database_now())


def test_a_run_that_a_worker_holds_is_not_skipped_behind_its_back(world, sleeper):
    enter(sleeper, world.person())
    world.advance()
    Wakeup.objects.update(due_at=database_now())
    [due] = claim_due(now=database_now())
    take_lease(due, owner="worker")

    with pytest.raises(RunStateError, match="a worker has it"):
        skip(world.run())


# --- switching and pausing ------------------------------------------------------------------------------------------
def test_a_journey_that_is_switched_off_takes_nobody_and_its_runs_go_on(world, sleeper):
    ada, ben = world.person("ada"), world.person("ben")
    world.event(ada, "go", plan="pro")
    world.advance()

    set_journey(journey_id="sleeper", enabled=False)
    world.event(ben, "go", plan="pro")
    world.wake()

    assert world.sent() == ["hello", "bye"]
    assert EnrolmentSkip.objects.get().reason == "journey_disabled_by_admin"


def test_what_is_not_said_about_a_journey_stays(world):
    set_journey(journey_id="sleeper", enabled=False)
    set_journey(journey_id="sleeper", paused=True)

    override = set_journey(journey_id="sleeper", enabled=True)

    assert (override.enabled, override.paused) == (True, True)
    assert JourneyOverride.objects.get().updated_at == override.updated_at


def test_runs_of_a_paused_journey_stand_still_and_those_of_others_go_on(world, sleeper):
    @journey(id="brisk", trigger="brisk")
    def brisk(user, ctx):
        ctx.sleep(days(1), label="nap")
        send_email(user, "news")

    ada = world.person()
    enter(sleeper, ada)
    enter(brisk, ada)
    world.advance()

    set_journey(journey_id="sleeper", paused=True)
    world.wake()

    assert world.sent() == ["hello", "news"]
    assert JourneyRun.objects.get(journey_id="sleeper").status == "waiting"


def test_who_enters_a_paused_journey_stands_at_its_start(world, sleeper):
    set_journey(journey_id="sleeper", paused=True)
    world.event(world.person(), "go", plan="pro")
    world.advance()

    held = (world.run().node, world.sent())
    set_journey(journey_id="sleeper", paused=False)
    world.advance()

    assert held == ("start", [])
    assert world.sent() == ["hello"]


def test_a_resumed_journey_goes_on_at_once_with_the_longest_overdue_first(world, facts):
    @journey(id="order", trigger="order", entry_limit="unlimited")
    def order(user, ctx):
        ctx.sleep(days(1), label="nap")
        facts.calls.append(user.id)

    people = [world.person(name) for name in ("ada", "ben", "cleo")]
    for person in people:
        enter(order, person)
    world.advance()
    set_journey(journey_id="order", paused=True)
    for late, person in zip((2, 3, 1), people, strict=True):
        Wakeup.objects.filter(run__contact=person).update(due_at=database_now() - hours(late))
    world.advance()
    held = list(facts.calls)

    set_journey(journey_id="order", paused=False)
    world.advance()

    assert (held, facts.calls) == ([], ["ben", "ada", "cleo"])


def test_what_is_overdue_in_a_paused_journey_is_out_of_the_way_and_comes_back_as_it_was(world, sleeper):
    enter(sleeper, world.person())
    world.advance()
    Wakeup.objects.update(due_at=database_now() - hours(1))
    due_at = Wakeup.objects.get().due_at

    set_journey(journey_id="sleeper", paused=True)
    away = Wakeup.objects.get().due_at
    set_journey(journey_id="sleeper", paused=False)

    assert away > database_now() + days(100_000)
    assert unparked(away) == due_at == Wakeup.objects.get().due_at


def test_the_sweep_puts_away_what_became_due_and_takes_back_what_lies_there_without_a_pause(world, sleeper):
    enter(sleeper, world.person())
    world.advance()
    set_journey(journey_id="sleeper", paused=True)
    Wakeup.objects.update(due_at=database_now())

    parked = [park_due(now=database_now()), park_due(now=database_now())]
    JourneyOverride.objects.all().delete()
    parked.append(park_due(now=database_now()))
    world.advance()

    assert parked == [1, 0, 0]
    assert world.sent() == ["hello", "bye"]


def test_waits_that_are_not_over_are_left_where_they_are(world, sleeper):
    enter(sleeper, world.person())
    world.advance()
    due_at = Wakeup.objects.get().due_at

    set_journey(journey_id="sleeper", paused=True)
    held = Wakeup.objects.get().due_at
    set_journey(journey_id="sleeper", paused=False)

    assert held == due_at == Wakeup.objects.get().due_at


def test_what_was_claimed_before_the_pause_is_refused_and_goes_on_with_the_resumption(world, sleeper):
    enter(sleeper, world.person())
    [due] = claim_due(now=database_now())
    set_journey(journey_id="sleeper", paused=True)

    refused = take_lease(due, owner="worker")
    set_journey(journey_id="sleeper", paused=False)
    world.advance()

    assert refused is None
    assert world.sent() == ["hello"]
    assert world.run().crash_count == 0


def test_an_exit_event_a_cancellation_and_a_deletion_still_end_paused_runs(world, sleeper):
    ada, ben, cleo = (world.person(name) for name in ("ada", "ben", "cleo"))
    for person in (ada, ben, cleo):
        enter(sleeper, person)
    world.advance()
    set_journey(journey_id="sleeper", paused=True)

    world.event(ada, "stop")
    cancel_run(run_id=world.run(ben).id, reason="by grace")
    delete_contact(contact_id=cleo.id, now=database_now())

    assert [world.run(person).exit_reason for person in (ada, ben, cleo)] == ["stop", "by grace", "contact_deleted"]
    assert not Wakeup.objects.exists()


def test_an_event_that_came_while_the_journey_was_paused_ends_the_wait_when_it_is_resumed(world, hoper, facts):
    ada = world.person()
    enter(hoper, ada)
    world.advance()
    set_journey(journey_id="hoper", paused=True)

    world.event(ada, "paid", amount=10)
    world.advance()
    held = list(facts.calls)
    set_journey(journey_id="hoper", paused=False)
    world.advance()

    assert (held, facts.calls) == ([], ["paid"])


def test_a_wait_that_is_skipped_while_the_journey_is_paused_is_over_when_it_is_resumed(world, sleeper):
    enter(sleeper, world.person())
    world.advance()
    set_journey(journey_id="sleeper", paused=True)

    skip(world.run())
    world.advance()
    held = world.sent()
    set_journey(journey_id="sleeper", paused=False)
    world.advance()

    assert (held, world.sent()) == (["hello"], ["hello", "bye"])


@pytest.mark.django_db(transaction=True)
def test_pausing_and_resuming_while_workers_run_loses_nobody(world, facts, in_thread):
    @journey(id="busy", trigger="busy")
    def busy(user, ctx):
        send_email(user, "hello")
        ctx.sleep(timedelta(0), label="breath")
        send_email(user, "bye")

    people = [world.person(f"p{number}") for number in range(12)]
    enrol_guests(journey=busy, guests=[Guest(one.id, {}) for one in people], by="grace", now=database_now())
    done = threading.Event()

    def worker() -> None:
        while not done.is_set():
            world.advance()

    def operator() -> None:
        for _ in range(5):
            set_journey(journey_id="busy", paused=True)
            park_due(now=database_now())
            set_journey(journey_id="busy", paused=False)

    workers = [threading.Thread(target=in_thread(worker)) for _ in range(2)]
    for thread in workers:
        thread.start()
    in_thread(operator)()
    while JourneyRun.objects.exclude(status="completed").exists():
        connection.close()
    done.set()
    for thread in workers:
        thread.join()

    assert sorted(world.sent()) == ["bye"] * 12 + ["hello"] * 12


@pytest.mark.django_db(transaction=True)
def test_operators_who_pause_and_resume_different_journeys_at_once_do_not_stop_each_other(world, in_thread):
    for name in ("one", "two"):

        @journey(id=name, trigger=name)
        def sleeping(user, ctx):
            ctx.sleep(days(1), label="nap")

        guests = [Guest(world.person(f"{name}-{number}").id, {}) for number in range(5)]
        enrol_guests(journey=sleeping, guests=guests, by="grace", now=database_now())
    start = threading.Barrier(3)

    def operator(name: str) -> None:
        start.wait()
        for _ in range(15):
            set_journey(journey_id=name, paused=True)
            set_journey(journey_id=name, paused=False)

    def sweep(_: str) -> None:
        start.wait()
        for _ in range(15):
            park_due(now=database_now())

    with ThreadPoolExecutor(3) as threads:
        done = [
            threads.submit(in_thread(act), name) for act, name in ((operator, "one"), (operator, "two"), (sweep, ""))
        ]
    failures = [one.exception() for one in done]
    world.advance()

    assert failures == [None, None, None]
    assert set(JourneyRun.objects.values_list("status", "node")) == {("waiting", "nap")}
