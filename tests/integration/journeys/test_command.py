"""`manage.py journeys`, as operators run it."""

import json
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from hogsend.authoring import days, journey, prop, send_email
from hogsend.lib.ids import new_id
from journeys.actions.operate import set_journey
from journeys.models import JourneyOverride, JourneyRun, JourneyStep
from tests.people import ada, dora

pytestmark = pytest.mark.django_db

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command and return what it printed."""

    def call(*arguments: str) -> str:
        call_command("journeys", *arguments)
        return capsys.readouterr().out

    return call


@pytest.fixture
def nap():
    @journey(id="nap", trigger="go", entry_limit="unlimited")
    def nap(user, ctx):
        ctx.wait_for_event("paid", timeout=days(2), where=prop("amount").gt(1), label="pay")
        send_email(user, "bye")

    return nap


@pytest.fixture
def asleep(world, nap) -> JourneyRun:
    world.event(ada(), "go")
    world.advance()
    return world.run()


def test_the_list_says_how_each_journey_stands(run, asleep):
    set_journey(journey_id="nap", enabled=False, paused=True)

    lines, document = run(), json.loads(run("list", "--json"))

    assert lines == "nap  off, paused  on the way 1, completed 0, exited 0, failed 0\n"
    assert document["journeys"][0]["counts"]["waiting"] == 1


def test_where_nothing_is_declared_the_list_says_so(run):
    assert run("list") == "No journey is declared here.\n"


def test_runs_are_listed_and_narrowed(run, asleep):
    shown = run("runs", "--status", "waiting", "--journey", "nap")

    assert shown.startswith(f"{asleep.id}  nap  ada  waits at pay for paid until ")
    assert run("runs", "--status", "failed") == "There is no such run.\n"
    assert json.loads(run("runs", "--json"))["states"][0]["waitsFor"]["event"] == "paid"


def test_a_run_is_shown_with_its_log(run, asleep):
    lines = run("show", str(asleep.id)).splitlines()
    document = json.loads(run("show", str(asleep.id), "--json"))

    assert [line.split("  ")[1:] for line in lines[1:]] == [["entered", "start"], ["wait", "pay"]]
    assert [entry["action"] for entry in document["logs"]] == ["entered", "wait"]


def test_a_failed_run_is_shown_with_its_error_and_retried(run, world):
    @journey(id="broken", trigger="break")
    def broken(user, ctx):
        raise ValueError("a bad day")

    world.event(ada(), "break")
    world.advance()
    failed = str(world.run().id)

    shown, said = run("show", failed), run("retry", failed)

    assert "a bad day" in shown
    assert said == "The run goes on after its last recorded step.\n"
    assert world.run().status == "active"


def test_a_run_is_cancelled_once(run, asleep, world):
    said = run("cancel", str(asleep.id))

    assert said == "The run has left its journey.\n"
    assert world.run().exit_reason.endswith("at a console")
    with pytest.raises(CommandError, match="ended already"):
        run("cancel", str(asleep.id))


def test_a_wait_is_skipped(run, asleep, world):
    run("skip-wait", str(asleep.id))
    world.advance()

    assert world.sent() == ["bye"]
    assert JourneyStep.objects.get(kind="skipped").result["by"].endswith("at a console")


def test_somebody_is_let_in(run, nap, world):
    ada()

    said = run("enrol", "nap", "ada@example.com", "--properties", '{"plan": "pro"}')

    assert f"Its run is {world.run().id}." in said
    assert world.run().context == {"plan": "pro"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["enrol", "nap", "dora"], "unsubscribed from all mail"),
        (["enrol", "nap", "nobody"], "Nobody is known by 'nobody'"),
        (["enrol", "nappy", "dora"], "Did you mean 'nap'"),
        (["enrol", "nap", "dora", "--properties", "x"], "JSON object"),
        (["enrol", "nap"], "takes a journey and a person"),
        (["pause"], "takes one id"),
        (["pause", "none"], "There is no journey 'none'"),
        (["list", "nap"], "takes no name"),
        (["runs", "--limit", "0"], "--limit is 0"),
        (["show", "nonsense"], "is not the id of a run"),
        (["show", str(new_id())], "may have been erased"),
        (["retry", str(new_id())], "may have been erased"),
    ],
)
def test_what_cannot_be_done_is_said_and_ends_with_one(run, nap, capsys, arguments, told):
    dora()

    with pytest.raises(CommandError, match=told.replace("(", r"\(")):
        run(*arguments)
    with pytest.raises(SystemExit) as ended:
        run(*arguments, "--json")

    assert ended.value.code == 1
    assert told in json.loads(capsys.readouterr().out)["error"]
    assert not JourneyRun.objects.exists()


def test_a_journey_is_paused_resumed_switched_off_and_on(run, nap):
    said = [run(what, "nap") for what in ("pause", "disable")]
    held = JourneyOverride.objects.get()
    said += [run(what, "nap") for what in ("resume", "enable")]

    override = JourneyOverride.objects.get()
    assert (held.paused, held.enabled) == (True, False)
    assert (override.paused, override.enabled) == (False, True)
    assert said[1] == "The journey nap is off: nobody enters, and its runs go on.\n"
    assert json.loads(run("enable", "nap", "--json"))["journey"]["enabled"] is True


def test_what_the_code_switched_off_is_not_switched_on(run):
    journey(id="off", trigger="go", enabled=False)(lambda user, ctx: None)

    with pytest.raises(CommandError, match="switch it on in the code"):
        run("enable", "off")
