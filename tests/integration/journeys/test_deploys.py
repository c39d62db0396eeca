"""Code that changes while people are on the way."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from hogsend.authoring import days, hours, journey, send_email
from hogsend.clock import database_now
from journeys.definitions import registry
from journeys.models import JourneyRun, JourneyStep, RunStatus, Wakeup
from journeys.queries import drifted_runs, parked_runs, runs_by_code
from ops.doctor import _journeys

pytestmark = pytest.mark.django_db


def deploy(run, **declared):
    """Replace the code of the journey "trip"."""
    registry._items.pop("trip", None)
    return journey(**{"id": "trip", "trigger": "go", **declared})(run)


def withdraw():
    registry._items.pop("trip")


def walk(*steps):
    """Return the function of a journey: sends what is in small letters, waits for two days at what is in capitals."""

    def run(user, ctx):
        for step in steps:
            if step.isupper():
                ctx.sleep(days(2), label=step)
            else:
                send_email(user, step)

    return run


def test_a_run_goes_on_in_the_newest_code(world):
    deploy(walk("hello", "A", "bye"))
    world.event(world.person(), "go")
    world.advance()
    deploy(walk("hello", "A", "news"))

    world.wake()

    assert world.sent() == ["hello", "news"]
    assert world.run().status == RunStatus.COMPLETED


def test_a_step_that_was_added_before_the_wait_is_taken_when_the_run_wakes(world):
    deploy(walk("hello", "A", "bye"))
    world.event(world.person(), "go")
    world.advance()
    deploy(walk("hello", "news", "A", "bye"))

    world.wake()

    assert world.sent() == ["hello", "news", "bye"]


def test_a_wait_that_was_removed_ends_at_its_time_and_holds_nobody(world):
    deploy(walk("hello", "A", "bye"))
    world.event(world.person(), "go")
    world.advance()
    deploy(walk("hello", "bye"))

    world.wake()

    assert world.run().status == RunStatus.COMPLETED
    assert not Wakeup.objects.exists()


def test_a_finished_run_keeps_which_recorded_steps_it_did_not_meet(world):
    before = database_now()
    deploy(walk("hello", "news", "A", "bye"))
    world.event(world.person(), "go")
    world.advance()
    deploy(walk("hello", "A", "bye"))
    assert drifted_runs("trip", since=before) == 0

    world.wake()

    drift = JourneyStep.objects.get(kind="drift")
    assert (drift.key, drift.result, drift.status) == ("drift", ["send:start:news"], "done")
    assert JourneyStep.objects.filter(run=world.run()).last() == drift
    assert drifted_runs("trip", since=before) == 1
    assert drifted_runs("trip", since=database_now()) == 0
    assert drifted_runs("other", since=before) == 0


def test_a_run_that_met_everything_keeps_no_drift(world):
    deploy(walk("hello", "A", "bye"))
    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert not JourneyStep.objects.filter(kind="drift").exists()


def test_drift_fits_into_a_journal_that_is_full(world):
    deploy(walk("A"))
    world.event(world.person(), "go")
    world.advance()
    run = world.run()
    now = database_now()
    # Ending the wait takes the last number.
    JourneyStep.objects.bulk_create(
        JourneyStep(run=run, seq=seq, key=f"now:old:{seq}", kind="now", result="x", created_at=now)
        for seq in range(3, 1000)
    )

    world.wake()

    assert world.run().status == RunStatus.COMPLETED
    assert len(JourneyStep.objects.get(kind="drift").result) == 100


# ctx.patched


def old(user, ctx):
    send_email(user, "hello")
    ctx.sleep(days(2), label="A")
    send_email(user, "bye")
    ctx.sleep(days(2), label="B")


def changed(facts):
    """Return the journey ``old`` after a change: instead of "bye" people get "news", unless they were past that."""

    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="A")
        answer = ctx.patched("news-instead")
        facts.calls.append(answer)
        send_email(user, "news" if answer else "bye")
        ctx.sleep(days(2), label="B")
        assert ctx.patched("news-instead") is answer

    return run


def test_who_enters_after_a_change_takes_the_new_way(world, facts):
    deploy(changed(facts))
    world.event(world.person(), "go")
    world.advance()
    world.wake()
    world.wake()

    assert world.sent() == ["hello", "news"]
    assert facts.calls == [True, True]
    assert world.run().status == RunStatus.COMPLETED


def test_who_waits_before_a_change_takes_the_new_way(world, facts):
    deploy(old)
    world.event(world.person(), "go")
    world.advance()
    deploy(changed(facts))

    world.wake()
    world.wake()

    assert world.sent() == ["hello", "news"]
    assert facts.calls == [True, True]


def test_who_is_past_a_change_keeps_to_the_old_way(world, facts):
    deploy(old)
    world.event(world.person(), "go")
    world.advance()
    world.wake()
    deploy(changed(facts))

    world.wake()

    assert world.sent() == ["hello", "bye"]
    assert facts.calls == [False]
    assert world.run().status == RunStatus.COMPLETED
    assert not JourneyStep.objects.filter(kind="drift").exists()


def test_the_answer_about_a_change_is_recorded_and_never_another(world, facts):
    deploy(old)
    world.event(world.person(), "go")
    world.advance()
    world.wake()

    def run(user, ctx):
        facts.calls.append(ctx.patched("early"))
        old(user, ctx)
        ctx.sleep(days(2), label="C")
        facts.calls.append(ctx.patched("late"))

    deploy(run)
    world.wake()
    world.wake()

    recorded = JourneyStep.objects.filter(kind="patched").values_list("key", "result")
    assert dict(recorded) == {"patched:early": False, "patched:late": True}
    assert facts.calls == [False, False, True]


def test_a_worker_that_dies_after_the_answer_gets_it_again(world, facts):
    def run(user, ctx):
        ctx.sleep(days(2), label="A")
        facts.calls.append(ctx.patched("x"))
        send_email(user, "news")
        if len(facts.calls) == 1:
            raise SystemExit

    deploy(walk("A", "bye"))
    world.event(world.person(), "go")
    world.advance()
    deploy(run)
    Wakeup.objects.update(due_at=database_now() - timedelta(seconds=1))
    with pytest.raises(SystemExit):
        world.advance()
    JourneyRun.objects.update(lease_until=database_now() - timedelta(seconds=1))

    world.wake()

    assert facts.calls == [True, True]
    assert world.sent() == ["news"]


@pytest.mark.parametrize("name", ["", "  ", None, 5])
def test_a_change_without_a_name_is_refused_with_a_sentence(world, name):
    deploy(lambda user, ctx: ctx.patched(name))
    world.event(world.person(), "go")

    world.advance()

    assert "TypeError: ctx.patched takes the name of a change, like 'shorter-trial'" in world.run().error


# versions


def test_who_entered_under_an_earlier_version_goes_on_with_the_kept_function(world):
    first = walk("hello", "A", "bye")
    deploy(first)
    ada, ben = world.person("ada"), world.person("ben")
    world.event(ada, "go")
    world.advance()
    deploy(walk("news", "A", "news2"), version=2, keep={1: first})
    world.event(ben, "go")
    world.advance()

    world.wake()

    assert world.sent(ada) == ["hello", "bye"]
    assert world.sent(ben)[0] == "news"
    assert dict(JourneyRun.objects.values_list("contact__external_id", "version")) == {"ada": 1, "ben": 2}


def test_runs_of_a_version_that_is_gone_stand_still_and_go_on_when_it_is_kept_again(world):
    first = walk("hello", "A", "bye")
    deploy(first)
    world.event(world.person(), "go")
    world.advance()
    deploy(walk("news"), version=2)

    world.wake()

    run = world.run()
    assert run.status == RunStatus.WAITING
    assert run.error == (
        "Version 1 of the journey 'trip' is neither the current one (2) nor kept; put its function back with "
        "keep={1: …}, or cancel the run."
    )
    assert world.sent() == ["hello"]

    deploy(walk("news"), version=2, keep={1: first})
    world.wake()

    assert (world.run().status, world.run().error) == (RunStatus.COMPLETED, "")
    assert world.sent() == ["hello", "bye"]


def test_parked_runs_are_logged_by_journey_and_version(world):
    deploy(walk("A"))
    for name in ("ada", "ben"):
        world.event(world.person(name), "go")
    world.advance()
    deploy(walk("A"), version=2)
    Wakeup.objects.update(due_at=database_now() - timedelta(seconds=1))

    with capture_logs() as logs:
        world.advance()

    [told] = [entry for entry in logs if entry["event"] == "journeys.parked"]
    assert (told["runs"], told["journeys"], told["log_level"]) == (2, {"trip v1": 2}, "warning")


# what operators see


def test_parked_runs_are_counted_with_the_reason_until_their_journey_is_back(world, settings):
    deploy(walk("A", "bye"))
    for name in ("ada", "ben"):
        world.event(world.person(name), "go")
    world.advance()
    assert parked_runs() == []
    began = JourneyRun.objects.earliest("progressed_at").progressed_at
    function = registry.get("trip").run

    withdraw()
    [gone] = parked_runs()
    world.wake()
    deploy(function)
    settings.ENABLED_JOURNEYS = frozenset({"other"})
    [left_out] = parked_runs()
    settings.ENABLED_JOURNEYS = None

    assert (gone.journey_id, gone.version, gone.runs, gone.standing_since) == ("trip", 1, 2, began)
    assert gone.why == "The journey 'trip' is not in the code that runs here; put it back, or cancel the run."
    assert (gone.is_left_out, left_out.is_left_out, left_out.runs) == (False, True, 2)
    assert parked_runs() == []
    world.wake()
    assert set(JourneyRun.objects.values_list("status", flat=True)) == {RunStatus.COMPLETED}
    assert world.sent() == ["bye", "bye"]


def test_the_doctor_reports_runs_that_stand_still(world, settings):
    deploy(walk("A"))
    world.event(world.person(), "go")
    world.advance()
    function = registry.get("trip").run
    [well] = _journeys()

    withdraw()
    [gone] = _journeys()
    deploy(function)
    settings.ENABLED_JOURNEYS = frozenset()
    [left_out] = _journeys()

    assert (well.level, gone.level, left_out.level) == ("ok", "problem", "warning")
    assert gone.sentence.startswith("1 run stands still, the first since ")
    assert "'trip' is not in the code that runs here" in gone.sentence
    assert "ENABLED_JOURNEYS leaves out 'trip'" in left_out.sentence


def test_live_runs_are_counted_by_the_code_under_which_they_began(world):
    first = deploy(walk("hello", "A"))
    for name in ("ada", "ben"):
        world.event(world.person(name), "go")
    world.advance()

    def other(user, ctx):
        ctx.sleep(hours(1), label="A")

    second = deploy(other, version=2, keep={1: first.run})
    world.event(world.person("cleo"), "go")
    world.event(world.person("dora"), "go")
    JourneyRun.objects.filter(contact__external_id="dora").update(status="exited")

    newest, oldest = runs_by_code("trip")

    assert (newest.version, newest.code_hash, newest.runs) == (2, second.code_hash, 1)
    assert (oldest.version, oldest.code_hash, oldest.runs) == (1, first.code_hash, 2)
    assert oldest.first_began_at < oldest.last_began_at < newest.first_began_at
    assert runs_by_code("other") == []
