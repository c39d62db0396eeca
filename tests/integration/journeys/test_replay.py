"""Recorded journals against edited code: whom would a deploy change?"""

import json
import stat
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from emails.models import EmailSend
from events.models import Event
from hogsend.authoring import days, journey, send_email
from hogsend.clock import database_now
from journeys.definitions import registry
from journeys.models import JourneyRun, JourneyStep, RunStatus, Wakeup
from journeys.queries import recorded_runs
from journeys.verdicts import Judged, Verdict, judge

pytestmark = pytest.mark.django_db


def deploy(run, **declared):
    """Replace the code of the journey "trip"."""
    registry._items.pop("trip", None)
    return journey(**{"id": "trip", "trigger": "go", **declared})(run)


def before(user, ctx):
    send_email(user, "hello")
    ctx.sleep(days(2), label="settled")
    if not ctx.history.has_event("used"):
        send_email(user, "bye")
    ctx.sleep(days(2), label="later")
    ctx.checkpoint("end")


@pytest.fixture
def underway(world):
    """Let ada wait at "later", which comes after two mails."""
    deploy(before)
    world.event(world.person("ada"), "go", plan="trial")
    world.advance()
    world.wake()
    assert world.run().node == "later"
    return world


def judged(*, ended: bool = False) -> Judged:
    [run] = recorded_runs(["trip"], ended=ended)
    return judge(run, now=database_now())


def everything() -> list:
    return [
        list(model.objects.order_by("pk").values())
        for model in (JourneyRun, JourneyStep, Wakeup, EmailSend, Event, Contact)
    ]


def test_code_that_did_not_change_changes_nobody(underway):
    found = judged()

    assert (found.verdict, found.why, found.new, found.skipped, found.harmful) == (Verdict.SAME, "", (), (), False)


def test_a_run_that_has_not_begun_is_changed_by_nothing(world):
    deploy(before)
    world.event(world.person(), "go")

    assert judged().verdict is Verdict.SAME


def test_a_run_whose_wait_is_overdue_is_judged_up_to_that_wait(underway):
    JourneyStep.objects.filter(key="sleep:later").update(deadline=database_now() - timedelta(hours=1))

    assert judged().verdict is Verdict.SAME


def test_texts_that_nobody_has_reached_may_change(underway):
    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(99), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(99), label="later")
        send_email(user, "news")

    deploy(run)

    assert judged().verdict is Verdict.SAME


def test_a_mail_added_where_people_have_been_is_a_new_step_and_harms_nobody(underway):
    def run(user, ctx):
        send_email(user, "hello")
        send_email(user, "news")
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(run)

    found = judged()

    assert (found.verdict, found.new, found.skipped) == (Verdict.NEW_STEPS, ("send:start:news",), ())
    assert found.why == "It would take new steps from send:start:news."
    assert not found.harmful


def test_a_dropped_mail_is_a_skipped_step_and_harms_nobody(underway):
    def run(user, ctx):
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(run)

    found = judged()

    assert (found.verdict, found.skipped, found.harmful) == (Verdict.SKIPS_STEPS, ("send:start:hello",), False)
    assert found.why == "It would skip send:start:hello."


def test_a_dropped_wait_lets_the_run_go_on_at_once_which_is_told(underway):
    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        send_email(user, "news")

    deploy(run)

    found = judged()

    assert (found.verdict, found.new, found.skipped) == (
        Verdict.NEW_STEPS,
        ("send:settled:news",),
        ("sleep:later",),
    )
    assert found.why == "It would take new steps from send:settled:news. It would skip sleep:later. Then it would end."


def test_a_label_that_is_renamed_sends_mails_again_and_harms(underway):
    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="arrived")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(run)

    found = judged()

    assert (found.verdict, found.harmful) == (Verdict.UNSTABLE, True)
    assert found.why == "It would send 'bye' again: what is recorded as send:settled:bye would now be send:arrived:bye."


@pytest.mark.parametrize("wait", ["sleep", "wait_for_event", "checkpoint"])
def test_a_wait_or_checkpoint_put_before_a_mail_that_was_sent_sends_it_again_and_harms(underway, wait):
    def run(user, ctx):
        if wait == "sleep":
            ctx.sleep(days(1), label="first")
        elif wait == "wait_for_event":
            ctx.wait_for_event("used", timeout=days(1), label="first")
        else:
            ctx.checkpoint("first")
        before(user, ctx)

    deploy(run)

    found = judged()

    assert found.harmful
    assert (
        found.why == "It would send 'hello' again: what is recorded as send:start:hello would now be send:first:hello."
    )


def test_a_key_keeps_a_mail_from_being_sent_again(underway):
    def run(user, ctx):
        ctx.sleep(days(1), label="first")
        send_email(user, "hello", key="start")
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(run)

    found = judged()

    assert (found.verdict, found.new, found.skipped) == (Verdict.NEW_STEPS, ("sleep:first",), ())


def test_another_mail_in_the_place_of_one_that_was_sent_harms(underway):
    def run(user, ctx):
        send_email(user, "news")
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("used"):
            send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(run)

    found = judged()

    assert found.harmful
    assert (
        found.why == "It would send send:start:news, though it sent send:start:hello instead, which it would not meet."
    )


def test_mails_in_another_order_are_unstable_and_harm_nobody(world):
    deploy(lambda user, ctx: (send_email(user, "hello"), send_email(user, "bye"), ctx.sleep(days(1), label="nap")))
    world.event(world.person(), "go")
    world.advance()
    deploy(lambda user, ctx: (send_email(user, "bye"), send_email(user, "hello"), ctx.sleep(days(1), label="nap")))

    found = judged()

    assert (found.verdict, found.harmful) == (Verdict.UNSTABLE, False)
    assert found.why == "It would come to mails that it has sent in another order."


def test_code_that_fails_on_the_way_harms(underway):
    def run(user, ctx):
        send_email(user, "hello")
        raise ValueError("oops")

    deploy(run)

    found = judged()

    assert (found.verdict, found.harmful, found.why) == (Verdict.UNSTABLE, True, "It would fail: ValueError: oops")


def test_a_wait_of_computed_length_is_unstable_in_the_same_code(world, facts):
    @journey(id="trip", trigger="go")
    def run(user, ctx):
        facts.calls.append(1)
        ctx.sleep(timedelta(seconds=60 + len(facts.calls)))

    world.event(world.person(), "go")
    world.advance()

    found = judged()

    assert found.harmful
    assert found.why.startswith("It would fail: UnstableReplayError: The run waited at 'sleep:wait:1m1s'")


@pytest.mark.parametrize("kind", ["once", "step"])
def test_a_new_call_ends_the_replay_and_is_not_made(underway, facts, kind):
    def run(user, ctx):
        getattr(ctx, kind)("call", lambda *_: facts.calls.append("called"))
        before(user, ctx)

    deploy(run)

    found = judged()

    assert facts.calls == []
    assert (found.verdict, found.new, found.skipped, found.harmful) == (Verdict.NEW_STEPS, (f"{kind}:call",), (), False)
    assert found.why == f"It would take new steps from {kind}:call. What comes after that cannot be foreseen."


def test_new_effects_are_imagined_and_do_not_happen(underway):
    def run(user, ctx):
        ctx.trigger("used")
        ctx.identify(seen=True)
        ctx.posthog.capture("seen")
        before(user, ctx)

    deploy(run)
    stored = everything()

    found = judged()

    assert found.new == ("trigger:start:used", "identify:start:seen", "capture:start:seen")
    assert (found.verdict, found.harmful) == (Verdict.NEW_STEPS, False)
    assert everything() == stored


def test_an_event_that_would_be_recorded_again_harms(world):
    def run(user, ctx):
        ctx.trigger("used")
        ctx.sleep(days(2), label="nap")

    deploy(run)
    world.event(world.person(), "go")
    world.advance()

    def later(user, ctx):
        ctx.checkpoint("first")
        run(user, ctx)

    deploy(later)

    found = judged()

    assert found.harmful
    assert found.why == (
        "It would trigger 'used' again: what is recorded as trigger:start:used would now be trigger:first:used."
    )


def test_recorded_calls_are_not_made_again(world, facts):
    def run(user, ctx):
        ctx.once("call", lambda: facts.calls.append("called"))
        ctx.sleep(days(1), label="nap")

    deploy(run)
    world.event(world.person(), "go")
    world.advance()

    assert judged().verdict is Verdict.SAME
    assert facts.calls == ["called"]


def test_new_questions_about_the_person_are_answered_by_what_is_true_now(underway):
    def run(user, ctx):
        if ctx.history.has_event("used"):
            send_email(user, "news")
        before(user, ctx)

    deploy(run)
    assert judged().new == ("history.event:start:used",)

    underway.event(Contact.objects.get(), "used")

    assert judged().new == ("history.event:start:used", "send:start:news")


def test_a_run_whose_version_is_gone_is_absent(underway):
    deploy(before, version=2)

    found = judged()

    assert (found.verdict, found.harmful) == (Verdict.ABSENT, True)
    assert found.why.startswith("Version 1 of the journey 'trip' is neither the current one (2) nor kept")


def test_a_run_is_replayed_with_the_function_of_its_version(underway):
    deploy(lambda user, ctx: send_email(user, "news"), version=2, keep={1: before})

    assert judged().verdict is Verdict.SAME


def test_a_run_that_waits_for_an_event_is_judged_up_to_that_wait(world):
    def run(user, ctx):
        ctx.wait_for_event("used", timeout=days(3), label="use")
        send_email(user, "bye")

    deploy(run)
    ada = world.person()
    world.event(ada, "go")
    world.advance()
    assert judged().verdict is Verdict.SAME

    world.event(ada, "used")
    world.advance()

    assert judged(ended=True).verdict is Verdict.SAME


def test_an_exit_of_the_journey_itself_is_replayed(world):
    def run(user, ctx):
        send_email(user, "hello")
        ctx.exit("enough")

    deploy(run)
    world.event(world.person(), "go")
    world.advance()
    assert world.run().status == RunStatus.EXITED

    assert judged(ended=True).verdict is Verdict.SAME


def test_a_finished_run_with_drift_is_replayed_without_it(underway):
    deploy(lambda user, ctx: send_email(user, "hello"))
    underway.wake()
    assert JourneyStep.objects.filter(kind="drift").exists()

    found = judged(ended=True)

    assert "drift" not in found.skipped


def test_code_that_writes_by_itself_is_stopped_and_told(underway):
    def run(user, ctx):
        Contact.objects.update(properties={"touched": True})
        before(user, ctx)

    deploy(run)

    found = judged()

    assert (found.verdict, found.harmful) == (Verdict.UNSTABLE, False)
    assert "writes to the database by itself" in found.why
    assert Contact.objects.get().properties == {}


def test_a_replay_writes_nothing(underway):
    def run(user, ctx):
        ctx.checkpoint("new")
        before(user, ctx)
        ctx.exit()

    deploy(run)
    stored = everything()

    with CaptureQueriesContext(connection) as queries:
        judged()

    assert everything() == stored
    written = [
        query["sql"] for query in queries if query["sql"].lstrip().lower().startswith(("insert", "update", "del"))
    ]
    assert written == []


# the command


@pytest.fixture
def run(capsys):
    """Run the command, and return whether all is well and what it printed."""

    def call(*arguments: str) -> tuple[bool, str]:
        try:
            call_command("check_replay", *arguments)
        except SystemExit as ended:
            return ended.code == 0, capsys.readouterr().out
        return True, capsys.readouterr().out

    return call


def renamed(user, ctx):
    send_email(user, "hello")
    ctx.sleep(days(2), label="arrived")
    send_email(user, "bye")
    ctx.sleep(days(2), label="later")


def test_the_command_says_that_all_is_well(underway, run):
    well, said = run()

    assert well
    assert said == "trip: 1 unchanged\n\nAll is well.\n"


def test_the_command_says_that_there_is_nothing_to_replay(run):
    assert run() == (True, "There is no run to replay.\n")


def test_the_command_names_whom_a_deploy_would_harm_and_fails(underway, run):
    deploy(renamed)

    well, said = run("trip")

    assert not well
    assert said.splitlines()[0] == "trip: 1 unstable"
    assert said.splitlines()[1].startswith(f"  ! ada  {JourneyRun.objects.get().id}  It would send 'bye' again")
    assert said.splitlines()[-1].startswith("Do not deploy this")


def test_the_command_answers_in_json_with_as_many_people_as_asked_for(underway, run):
    underway.event(underway.person("ben"), "go")
    deploy(renamed)

    well, said = run("--json", "--limit", "1")

    document = json.loads(said)
    [found] = document["journeys"]
    assert (well, document["ok"]) == (False, False)
    assert (found["id"], found["runs"], found["unstable"], found["same"], found["harmful"]) == ("trip", 2, 1, 1, 1)
    [person] = found["people"]
    assert (person["verdict"], person["harmful"], person["new"]) == (
        "unstable",
        True,
        ["sleep:arrived", "send:arrived:bye"],
    )


def test_the_command_counts_runs_whose_journey_is_gone(underway, run):
    registry._items.pop("trip")

    well, said = run()

    assert not well
    assert said.startswith("trip: 1 that this code cannot play\n  ! ada  ")
    assert "is not in the code that runs here" in said


def test_ended_runs_are_replayed_when_asked_for_and_harm_nobody(underway, run):
    underway.wake()
    deploy(renamed)
    assert run()[1] == "There is no run to replay.\n"

    well, said = run("--all")

    assert well
    assert said.startswith("trip: 1 unstable")


def test_what_is_exported_can_be_replayed_elsewhere(underway, run, tmp_path):
    file = tmp_path / "trip.json"
    run("--export", str(file))
    JourneyRun.objects.all().delete()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    with CaptureQueriesContext(connection) as queries:
        same = run("--corpus", str(tmp_path))
    deploy(renamed)
    well, said = run("--corpus", str(file), "--json")

    assert same == (True, "trip: 1 unchanged\n\nAll is well.\n")
    assert len(queries) == 0
    assert not well
    assert json.loads(said)["journeys"][0]["people"][0]["userId"] == "ada"


def test_a_recording_fails_on_any_change(underway, run, tmp_path):
    file = tmp_path / "trip.json"
    run("--export", str(file))

    def shorter(user, ctx):
        ctx.sleep(days(2), label="settled")
        ctx.history.has_event("used")
        send_email(user, "bye")
        ctx.sleep(days(2), label="later")

    deploy(shorter)

    assert run("--corpus", str(file))[0] is False
    assert run()[0] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "There is no journey 'nothing'"),
        (["trip", "--limit", "-1"], "--limit is -1; give 0 or more"),
        (["--corpus", "x", "--all"], "leave out --all and --export"),
        (["--corpus", "/nonexistent.json"], "/nonexistent.json cannot be read"),
        (["--corpus", "{tmp}"], "There is no recording in"),
        (["--export", "{tmp}"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(underway, run, tmp_path, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*(argument.format(tmp=tmp_path) for argument in arguments))


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"runs": [{}]}', '{"runs": [5]}', '{"runs": 5}', '{"other": 1}', b"\xff", '{"runs": {"a": 1}}'],
)
def test_a_file_that_is_no_recording_is_refused_with_a_sentence(run, tmp_path, content):
    file = tmp_path / "broken.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(CommandError, match="is no recording that"):
        run("--corpus", str(file))


def test_a_recording_that_lacks_a_journey_which_was_named_is_refused(underway, run, tmp_path):
    file = tmp_path / "trip.json"
    run("--export", str(file))

    with pytest.raises(CommandError, match="holds no run of other"):
        run("other", "--corpus", str(file))
