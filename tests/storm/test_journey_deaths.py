"""Workers of journeys are killed, frozen and raced at every moment: each journey ends as it does undisturbed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

NURSERY = Path(__file__).with_name("journey_nursery.py")
ROOT = NURSERY.parents[2]
SEED = os.environ.get("HOGSEND_STORM_SEED", "7")
ASKED = ("journey_id", "script", "fate", "slice", "moment", "keyed")
SAME = ("runs", "steps", "calls", "sends", "events", "properties", "told")
MAILS_OF_THE_EDITED = {"storm-edited:send:start:storm-hello", "storm-edited:send:nap:storm-bye"}

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def told(part: str, state: Path, engine_urls: dict[str, str]) -> list[dict[str, Any]]:
    url = urlsplit(engine_urls["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {**os.environ, "DATABASE_URL": url, "HOGSEND_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "hogsend.settings", "LOG_LEVEL": "error"}
    done = subprocess.run(
        [sys.executable, str(NURSERY), part, SEED],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def faults(told: list[dict[str, Any]]) -> str:
    """Tell what is wrong with stories, each of which comes after the one that it is a variation of."""
    found, undisturbed = [], {}
    for story in told:
        undisturbed = undisturbed if story["fate"] else story
        wrong = [*wrong_at_rest(story), *wrong_beside(story, undisturbed)]
        if wrong:
            found += [f"{[story[name] for name in ASKED]}:", *(f"    {sentence}" for sentence in wrong)]
    return "\n".join(found)


def wrong_at_rest(story: dict[str, Any]) -> list[str]:
    """List what must not be, whatever happened."""
    mails = list(zip(story["ledger"], story["handed_over"], strict=True))
    checks = {
        "the moment did not come": story["happened"] == bool(story["fate"]),
        "a live run that nothing would wake": not story["stranded"],
        "something was left behind": not story["left"],
        f"not at its end, or with an error: {story['runs']}": all(
            status in {"completed", "exited"} and not error for _, status, _, error in story["runs"]
        ),
        "a mail was decided after the end": not story["decided_late"],
        "who woke up too late went on": story["calls_again"] <= 1 or story["fate"] == "raced",
        "a run completed after the event that ends it": not story["overrun"],
        # In a later slice the wait ends as well, and which of both is first shows in no row.
        "a wait has missed its event": not story["missed"] or story["slice"] > 0,
        f"a mail twice: {story['sends']}": len(story["sends"]) == len(set(story["sends"])),
        f"not handed over once: {mails}": all(handed_over_once(*mail, keyed=story["keyed"]) for mail in mails),
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def handed_over_once(status: str, handed_over: list[str], *, keyed: bool) -> bool:
    """Say whether a provider has accepted a mail once; one that recognises no keys at most once, and nobody knows."""
    if keyed:
        return status == "sent" and len(set(handed_over)) == 1
    return (status, len(handed_over)) in {("sent", 1), ("unknown", 1), ("unknown", 0)}


def wrong_beside(story: dict[str, Any], undisturbed: dict[str, Any]) -> list[str]:
    """List what is not as it is when nothing happens, but for what the event or the edit changes by right."""
    match story["fate"]:
        case "storm.stop":
            steps, usual = dict(story["steps"]), dict(undisturbed["steps"])
            return [f"took another way: {list(steps)}"] * (not steps.keys() <= usual.keys())
        case "storm.reply" if story["journey_id"] == "storm-listener":
            return []
        case "storm.reply":
            names: tuple[str, ...] = ("runs", "calls", "sends", "told")
        case "edited":
            return [f"lost a mail: {story['sends']}"] * bool(MAILS_OF_THE_EDITED - set(story["sends"]))
        case _:
            names = SAME
    return [
        f"{name}: {story[name]} instead of {undisturbed[name]}" for name in names if story[name] != undisturbed[name]
    ]


def test_whatever_happens_to_workers_each_example_journey_ends_as_it_does_undisturbed(tmp_path, engine_urls):
    stories = told("examples", tmp_path, engine_urls)

    assert not (found := faults(stories)), found
    assert len({story["journey_id"] for story in stories}) > 10
    assert {story["fate"] for story in stories} == {"", "killed", "frozen", "raced"}


def test_whatever_happens_to_workers_a_journey_that_does_everything_does_it_once(tmp_path, engine_urls):
    stories = told("storm", tmp_path, engine_urls)

    assert not (found := faults(stories)), found
    fates = {"", "killed", "frozen", "raced", "edited", "storm.stop", "storm.reply"}
    assert {story["fate"] for story in stories} == fates
