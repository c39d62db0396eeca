"""The shipped journeys, as people went through them: whoever edits one learns what that would change for people.

A change that is wanted is recorded anew: ``RECORD_JOURNEYS=1 ./run test tests/acceptance/test_recordings.py``.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from contacts.actions import identify
from contacts.models import Contact
from contacts.rules import Keys
from content import names
from events.actions import emit_events
from events.definitions import NewEvent
from hogsend.clock import database_now
from journeys.definitions import Journey, registry
from journeys.models import LIVE, JourneyRun, RunStatus, Wakeup
from journeys.queries import RecordedRun, recorded_runs
from journeys.recordings import write_recording
from journeys.runtime import advance_due

RECORDINGS = Path(__file__).parent / "recordings"
RECORD = "RECORD_JOURNEYS"
MOST_WAITS = 20


@pytest.mark.django_db
@pytest.mark.parametrize("journey", registry, ids=lambda journey: journey.id)
def test_every_shipped_journey_goes_as_it_was_recorded(journey, capsys):
    if RECORD in os.environ:
        stages = [*walked(journey, "idle", []), *walked(journey, "busy", everything_but(journey))]
        write_recording(RECORDINGS / f"{journey.id}.json", stages)

    call_command("check_replay", journey.id, "--corpus", RECORDINGS)

    assert "All is well." in capsys.readouterr().out


def test_no_recording_is_of_a_journey_that_is_gone():
    assert {file.stem for file in RECORDINGS.glob("*.json")} <= {journey.id for journey in registry}


def everything_but(journey: Journey) -> list[str]:
    """Return all that people of this product do, but for what begins or ends the journey."""
    its_own = {journey.trigger, *(rule.event for rule in journey.exit_on)}
    return sorted({name for name in vars(names).values() if isinstance(name, str) and "." in name} - its_own)


def walked(journey: Journey, key: str, does: list[str]) -> Iterator[RecordedRun]:
    """Go through a journey, doing what is given as soon as it has begun, and return how it stood at each wait."""
    identify(keys=Keys(key, f"{key}@example.com"), now=database_now())
    person = Contact.objects.get(external_id=key)
    emit_events([NewEvent(person.id, journey.trigger, fitting(journey))], now=database_now())
    run = JourneyRun.objects.get(contact=person, journey_id=journey.id)
    emit_events([NewEvent(person.id, name, {}) for name in does], now=database_now())
    for _ in range(MOST_WAITS):
        while advance_due(limit=100):
            pass
        yield from (one for one in recorded_runs([journey.id], ended=True) if one.id == run.id)
        run.refresh_from_db()
        assert run.status != RunStatus.FAILED, run.error
        if run.status not in LIVE:
            return
        Wakeup.objects.filter(run=run).update(due_at=database_now() - timedelta(seconds=1), claimed_until=None)
    raise AssertionError(f"{journey.id} waits more than {MOST_WAITS} times.")


def fitting(journey: Journey) -> dict[str, Any]:
    """Return properties of an event that lets people into the journey."""
    wanted = [condition.as_data() for condition in journey.where]
    return {condition["property"]: condition.get("value", 1) for condition in wanted}
