import pytest

from hogsend.authoring import exit_rule, journey, prop, send_email
from journeys.actions.lease import database_now
from journeys.consumers import exit_runs
from journeys.models import JourneyRun, RunStatus, Wakeup

pytestmark = pytest.mark.django_db


def empty(user, ctx):
    pass


def consider(events, world):
    """Hand recorded events to the consumer and return what it says about each."""
    from events.definitions import Batch

    batch = Batch(list(events), database_now())
    exit_runs(batch)
    return [[(item.journey_id, item.exited) for item in batch.exits.get(event.id, [])] for event in events]


def recorded(person, name, **properties):
    from events.definitions import RecordedEvent
    from hogsend.lib.ids import new_id

    return RecordedEvent(new_id(), person.id, name, properties, database_now())


def test_an_exit_event_ends_the_run_and_takes_its_wakeup(world):
    journey(id="trial", trigger="trial.started", exit_on=["subscribed"])(empty)
    ada = world.person()
    world.event(ada, "trial.started")

    world.event(ada, "subscribed")

    run = JourneyRun.objects.get()
    assert (run.status, run.exit_reason) == (RunStatus.EXITED, "subscribed")
    assert run.ended_at is not None
    assert not Wakeup.objects.exists()


def test_the_answer_tells_each_live_run_that_could_end_and_whether_it_did(world):
    journey(id="trial", trigger="trial.started", exit_on=["subscribed"])(empty)
    journey(id="tips", trigger="trial.started", exit_on=["left"])(empty)
    journey(id="endless", trigger="trial.started")(empty)
    ada = world.person()
    world.event(ada, "trial.started")

    [told] = consider([recorded(ada, "subscribed")], world)

    assert sorted(told) == [("tips", False), ("trial", True)]


def test_a_run_that_an_earlier_event_of_the_batch_ended_is_not_told_again(world):
    journey(id="trial", trigger="trial.started", exit_on=["subscribed"])(empty)
    ada = world.person()
    world.event(ada, "trial.started")

    told = consider([recorded(ada, "looked"), recorded(ada, "subscribed"), recorded(ada, "looked")], world)

    assert told == [[("trial", False)], [("trial", True)], []]


def test_an_exit_rule_looks_at_the_properties_and_any_rule_suffices(world):
    paid = exit_rule("plan.changed", where=prop("plan").eq("paid"))
    journey(id="trial", trigger="trial.started", exit_on=["left", paid])(empty)
    ada = world.person()
    world.event(ada, "trial.started")

    told = consider([recorded(ada, "plan.changed", plan="free"), recorded(ada, "plan.changed", plan="paid")], world)

    assert told == [[("trial", False)], [("trial", True)]]


def test_another_persons_event_ends_nothing(world):
    journey(id="trial", trigger="trial.started", exit_on=["subscribed"])(empty)
    world.event(world.person("ada"), "trial.started")

    world.event(world.person("ben"), "subscribed")

    assert JourneyRun.objects.get().status == RunStatus.ACTIVE


def test_a_run_that_has_ended_is_neither_told_nor_changed(world):
    journey(id="trial", trigger="trial.started", exit_on=["subscribed"])(empty)
    ada = world.person()
    world.event(ada, "trial.started")
    world.advance()

    told = consider([recorded(ada, "subscribed")], world)

    assert told == [[]]
    assert JourneyRun.objects.get().status == RunStatus.COMPLETED


def test_an_exit_between_two_mails_stops_the_second(world):
    @journey(id="trial", trigger="trial.started", exit_on=["subscribed"])
    def trial(user, ctx):
        send_email(user, "hello")
        world.event(ada, "subscribed")
        send_email(user, "bye")

    ada = world.person()
    world.event(ada, "trial.started")

    world.advance()

    assert world.sent() == ["hello"]
    assert world.run().status == RunStatus.EXITED


def test_an_exit_after_the_last_step_is_not_overwritten_by_the_completion(world):
    @journey(id="trial", trigger="trial.started", exit_on=["subscribed"])
    def trial(user, ctx):
        send_email(user, "hello")
        world.event(ada, "subscribed")

    ada = world.person()
    world.event(ada, "trial.started")

    world.advance()

    assert world.run().status == RunStatus.EXITED
    assert not Wakeup.objects.exists()


def test_an_exit_while_the_journey_wants_to_sleep_arms_no_wait(world):
    @journey(id="trial", trigger="trial.started", exit_on=["subscribed"])
    def trial(user, ctx):
        world.event(ada, "subscribed")
        ctx.sleep(hours(1))

    from hogsend.authoring import hours

    ada = world.person()
    world.event(ada, "trial.started")

    world.advance()

    assert world.run().status == RunStatus.EXITED
    assert not Wakeup.objects.exists()


def test_an_exit_during_a_failing_journey_stays_an_exit(world):
    @journey(id="trial", trigger="trial.started", exit_on=["subscribed"])
    def trial(user, ctx):
        world.event(ada, "subscribed")
        raise LookupError("too late to matter")

    ada = world.person()
    world.event(ada, "trial.started")

    world.advance()

    assert (world.run().status, world.run().error) == (RunStatus.EXITED, "")


def test_an_event_that_the_engine_caused_can_end_a_run_too(world):
    from events.actions import emit_events
    from events.definitions import NewEvent

    journey(id="trial", trigger="trial.started", exit_on=["journey:completed"])(empty)
    ada = world.person()
    world.event(ada, "trial.started")

    emit_events([NewEvent(ada.id, "journey:completed")], now=database_now(), hop=1)

    assert JourneyRun.objects.get().status == RunStatus.EXITED
