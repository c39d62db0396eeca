"""Two of everything at once: real threads, each with a connection of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from events.definitions import Batch, RecordedEvent
from hogsend.authoring import hours, journey, send_email
from hogsend.lib.ids import new_id
from journeys import heartbeat as heartbeat_module
from journeys.actions.lease import claim_due, database_now, take_lease
from journeys.actions.record import record_steps
from journeys.consumers import enrol
from journeys.heartbeat import Heartbeat
from journeys.models import EnrolmentSkip, JourneyRun, RunStatus, Wakeup
from journeys.runtime import Outcome, advance_due, advance_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


def lapse() -> None:
    """Let every lease and claim run out."""
    past = database_now() - timedelta(seconds=1)
    JourneyRun.objects.filter(lease_until__isnull=False).update(lease_until=past)
    Wakeup.objects.filter(claimed_until__isnull=False).update(claimed_until=past)


def together(in_thread, count, function):
    """Call ``function(number)`` in ``count`` threads that start at one moment."""
    barrier = threading.Barrier(count)

    def start(number):
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(in_thread(start), range(count)))


def test_twenty_events_at_once_begin_one_run(world, in_thread):
    journey(id="orders", trigger="ordered", entry_limit="unlimited")(lambda user, ctx: None)
    ada = world.person()

    together(in_thread, 20, lambda _: world.event(ada, "ordered"))

    assert JourneyRun.objects.count() == 1
    assert Wakeup.objects.count() == 1
    assert list(EnrolmentSkip.objects.values_list("reason", flat=True)) == ["already_active"] * 19


def test_the_constraint_alone_lets_one_of_twenty_in(world, in_thread):
    journey(id="orders", trigger="ordered", entry_limit="unlimited")(lambda user, ctx: None)
    ada = world.person()

    def enrol_without_any_lock(_):
        now = database_now()
        enrol(Batch([RecordedEvent(new_id(), ada.id, "ordered", {}, now)], now))

    together(in_thread, 20, enrol_without_any_lock)

    assert JourneyRun.objects.count() == 1
    assert Wakeup.objects.count() == 1


def test_one_event_begins_a_journey_once_however_often_it_is_told(world):
    journey(id="orders", trigger="ordered", entry_limit="unlimited")(lambda user, ctx: None)
    event = world.event(world.person(), "ordered")
    world.advance()

    enrol(Batch([event], database_now()))

    assert JourneyRun.objects.count() == 1


def test_two_workers_with_one_run_send_one_mail(world, in_thread):
    @journey(id="raced", trigger="go", entry_limit="unlimited")
    def raced(user, ctx):
        send_email(user, "hello")
        send_email(user, "bye")

    ada = world.person()
    for number in range(1, 6):
        world.event(ada, "go")
        [due] = claim_due(now=database_now())

        outcomes = together(in_thread, 2, lambda _, due=due: advance_run(due))

        assert sorted(outcomes) == [Outcome.BUSY, Outcome.COMPLETED]
        assert world.sent() == ["hello", "bye"] * number


def test_four_workers_advance_forty_runs_once_each(world, in_thread):
    @journey(id="many", trigger="go")
    def many(user, ctx):
        send_email(user, "hello")
        ctx.sleep(hours(1), label="nap")
        send_email(user, "bye")

    people = [world.person(f"person{number}") for number in range(40)]
    for person in people:
        world.event(person, "go")

    def work(_):
        while advance_due(limit=3):
            pass

    together(in_thread, 4, work)
    Wakeup.objects.update(due_at=database_now())
    together(in_thread, 4, work)

    assert {tuple(world.sent(person)) for person in people} == {("hello", "bye")}
    assert set(JourneyRun.objects.values_list("status", "lease_token")) == {("completed", 2)}


def test_a_worker_whose_run_was_taken_over_records_and_sends_nothing_more(world, in_thread):
    reached, go_on = threading.Event(), threading.Event()

    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        send_email(user, "hello")
        if not reached.is_set():
            reached.set()
            assert go_on.wait(20)
        send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(in_thread(advance_run), due)
        assert reached.wait(20)
        lapse()
        world.advance()
        go_on.set()

        outcome = zombie.result(20)

    assert outcome is Outcome.EXITED
    assert world.sent() == ["hello", "bye"]
    assert world.run().status == RunStatus.COMPLETED


def test_a_zombie_that_still_wants_to_send_while_its_heir_sleeps_cannot(world, in_thread):
    reached, go_on = threading.Event(), threading.Event()

    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        if reached.is_set():
            ctx.sleep(hours(1), label="nap")
        reached.set()
        assert go_on.wait(20)
        send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(in_thread(advance_run), due)
        assert reached.wait(20)
        lapse()
        world.advance()
        go_on.set()

        outcome = zombie.result(20)

    assert outcome is Outcome.LOST
    assert world.sent() == []
    assert world.run().status == RunStatus.WAITING
    assert world.steps() == ["user", "sleep:nap"]


def test_an_old_token_can_write_nothing(world):
    journey(id="slow", trigger="go")(lambda user, ctx: None)
    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())
    old = take_lease(due, owner="old")
    lapse()
    new = take_lease(due, owner="new")

    assert record_steps(old, [], node="start") is False

    assert record_steps(new, [], node="start") is True
    assert take_lease(due, owner="third") is None


def test_an_exit_committed_by_another_connection_stops_the_run_at_its_next_step(world, in_thread):
    reached, go_on = threading.Event(), threading.Event()

    @journey(id="trial", trigger="go", exit_on=["stop"])
    def trial(user, ctx):
        send_email(user, "hello")
        reached.set()
        assert go_on.wait(20)
        send_email(user, "bye")

    ada = world.person()
    world.event(ada, "go")
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(in_thread(world.advance))
        assert reached.wait(20)
        world.event(ada, "stop")
        go_on.set()
        worker.result(20)

    assert world.sent() == ["hello"]
    assert (world.run().status, world.run().exit_reason) == (RunStatus.EXITED, "stop")


def test_exits_that_race_with_slices_leave_no_run_without_a_wakeup_and_no_wakeup_without_a_run(world, in_thread):
    @journey(id="trial", trigger="go", exit_on=["stop"])
    def trial(user, ctx):
        send_email(user, "hello")
        ctx.checkpoint("greeted")
        ctx.sleep(hours(1), label="nap")

    people = [world.person(f"person{number}") for number in range(40)]
    for person in people:
        world.event(person, "go")

    def race(number):
        if number < 2:
            while advance_due(limit=2):
                pass
        else:
            for person in people[number - 2 :: 2]:
                world.event(person, "stop")

    together(in_thread, 4, race)

    assert set(JourneyRun.objects.values_list("status", flat=True)) <= {RunStatus.EXITED}
    assert not Wakeup.objects.exists()


def test_a_slice_that_lasts_longer_than_its_lease_keeps_it(world, in_thread, settings, monkeypatch):
    settings.HOGSEND_RUN_LEASE = timedelta(seconds=1)
    monkeypatch.setattr(heartbeat_module, "_current", [Heartbeat()])
    reached, go_on = threading.Event(), threading.Event()

    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        reached.set()
        assert go_on.wait(20)
        send_email(user, "bye")

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(in_thread(advance_run), due)
        assert reached.wait(20)
        first = world.run().lease_until
        deadline = database_now() + timedelta(seconds=20)
        while database_now() < first + timedelta(seconds=0.5):
            assert take_lease(due, owner="thief") is None
            assert database_now() < deadline
        go_on.set()

        assert worker.result(20) is Outcome.COMPLETED

    assert world.sent() == ["bye"]


def test_a_slice_whose_lease_could_not_be_kept_stops_at_its_next_call(world, settings, monkeypatch):
    settings.HOGSEND_RUN_LEASE = timedelta(seconds=0.1)
    monkeypatch.setattr(heartbeat_module, "_current", [Heartbeat()])
    noticed = threading.Event()

    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        with connection.cursor() as cursor:
            cursor.execute("update journeys_journeyrun set lease_token = lease_token + 1")
        pulses = heartbeat_module.heartbeat()._pulses
        while not any(pulse.lost for pulse in pulses):
            noticed.wait(0.01)
        ctx.history.has_event("looked")
        noticed.set()

    world.event(world.person(), "go")
    [due] = claim_due(now=database_now())

    assert advance_run(due) is Outcome.LOST

    assert not noticed.is_set()
    assert world.run().status == RunStatus.ACTIVE


def test_five_dead_workers_in_a_row_fail_a_run(world):
    journey(id="poison", trigger="go")(lambda user, ctx: None)
    world.event(world.person(), "go")
    for _ in range(5):
        [due] = claim_due(now=database_now())
        assert take_lease(due, owner="dies") is not None
        lapse()

    world.advance()

    run = world.run()
    assert run.status == RunStatus.FAILED
    assert run.error == "crash_loop: 5 workers in a row died while they advanced this run, without progress."
    assert not Wakeup.objects.exists()


def test_four_dead_workers_do_not_and_progress_forgives_them(world):
    @journey(id="weak", trigger="go")
    def weak(user, ctx):
        send_email(user, "hello")
        ctx.sleep(hours(1), label="nap")

    world.event(world.person(), "go")
    for _ in range(4):
        [due] = claim_due(now=database_now())
        take_lease(due, owner="dies")
        lapse()

    world.advance()

    assert (world.run().status, world.run().crash_count) == (RunStatus.WAITING, 0)
