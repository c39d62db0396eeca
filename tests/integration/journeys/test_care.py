"""What staff, the beat and the tasks do to runs."""

from datetime import timedelta

import pytest
from django.db import connection

from hogsend.authoring import days, journey, send_email
from hogsend.lib.ids import new_id
from journeys.actions import RunNotFoundError, RunStateError, cancel_run, retry_run
from journeys.actions.lease import database_now, extend_lease
from journeys.models import JourneyRun, RunStatus, Wakeup
from journeys.tasks import advance, heal

pytestmark = pytest.mark.django_db


@pytest.fixture
def sleeper(world):
    @journey(id="sleeper", trigger="go", entry_limit="unlimited")
    def sleep(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(30), label="nap")
        send_email(user, "bye")

    ada = world.person()
    world.event(ada, "go")
    world.advance()
    return ada


def age(minutes: int) -> None:
    JourneyRun.objects.update(progressed_at=database_now() - timedelta(minutes=minutes))


def test_the_beat_wakes_a_run_whose_ring_was_lost(world, sleeper):
    Wakeup.objects.update(due_at=database_now())

    advance()

    assert world.sent() == ["hello", "bye"]


def test_tasks_accept_arguments_of_other_releases(world, sleeper):
    advance(shard=3)
    heal(shard=3)

    assert world.sent() == ["hello"]


def test_a_live_run_without_a_wakeup_is_healed_and_sleeps_on(world, sleeper):
    due_at = Wakeup.objects.get().due_at
    Wakeup.objects.all().delete()
    age(2)

    heal()
    advance()

    assert [(wakeup.reason, wakeup.due_at) for wakeup in Wakeup.objects.all()] == [("timer", due_at)]
    assert world.sent() == ["hello"]
    world.wake()
    assert world.sent() == ["hello", "bye"]


@pytest.mark.parametrize("state", ["young", "held", "woken", "ended"])
def test_a_run_that_is_in_order_is_not_healed(world, sleeper, state):
    age(0 if state == "young" else 2)
    if state != "woken":
        Wakeup.objects.all().delete()
    if state == "held":
        JourneyRun.objects.update(lease_until=database_now() + timedelta(seconds=30))
    if state == "ended":
        JourneyRun.objects.update(status=RunStatus.EXITED)
    before = Wakeup.objects.count()

    heal()

    assert Wakeup.objects.count() == before


def test_a_run_can_be_cancelled(world, sleeper):
    cancel_run(run_id=world.run().id, reason="cancelled by staff")

    assert (world.run().status, world.run().exit_reason) == (RunStatus.EXITED, "cancelled by staff")
    assert not Wakeup.objects.exists()


def test_a_run_that_has_ended_cannot_be_cancelled(world, sleeper):
    cancel_run(run_id=world.run().id, reason="cancelled by staff")

    with pytest.raises(RunStateError, match="ended already"):
        cancel_run(run_id=world.run().id, reason="again")


def test_an_unknown_run_can_be_neither_cancelled_nor_retried():
    for action in (lambda: cancel_run(run_id=new_id(), reason=""), lambda: retry_run(run_id=new_id())):
        with pytest.raises(RunNotFoundError):
            action()


def test_a_failed_run_that_is_retried_goes_on_after_its_last_step(world, facts):
    @journey(id="broken", trigger="go")
    def broken(user, ctx):
        send_email(user, "hello")
        facts.calls.append("called")
        if len(facts.calls) == 1:
            raise LookupError("fixed later")
        send_email(user, "bye")

    world.event(world.person(), "go")
    world.advance()
    assert world.run().status == RunStatus.FAILED

    retry_run(run_id=world.run().id)
    world.advance()

    assert (world.run().status, world.run().error) == (RunStatus.COMPLETED, "")
    assert world.sent() == ["hello", "bye"]


def test_only_a_failed_run_can_be_retried(world, sleeper):
    with pytest.raises(RunStateError, match="Only a failed run"):
        retry_run(run_id=world.run().id)


def test_a_failed_run_is_not_retried_beside_a_live_one(world, sleeper):
    failed = world.run()
    cancel_run(run_id=failed.id, reason="")
    JourneyRun.objects.update(status=RunStatus.FAILED)
    world.event(sleeper, "go")

    with pytest.raises(RunStateError, match="entered the journey again"):
        retry_run(run_id=failed.id)


def test_a_lease_of_a_run_that_has_ended_is_not_extended(world, sleeper):
    run = world.run()
    assert extend_lease(run_id=run.id, token=run.lease_token, length=timedelta(seconds=1)) is True
    cancel_run(run_id=run.id, reason="")

    assert extend_lease(run_id=run.id, token=run.lease_token, length=timedelta(seconds=1)) is False


def test_what_is_due_is_found_by_its_index(world, sleeper):
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("explain select id from journeys_wakeup where due_at <= now() order by due_at limit 200")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "wakeup_due" in plan
