"""How journeys react to recorded events: runs that an event ends leave first, then people enter."""

from events.definitions import Listener
from events.routing import Consumer
from journeys.actions.enrol import enrol_people
from journeys.actions.exit import exit_people, runs_considered
from journeys.actions.wake import hear_woken, wake_waiting
from journeys.definitions import index


def _listeners(name: str) -> list[Listener]:
    found = index().by_trigger.get(name, ())
    return [Listener("journey", journey.id, journey.name, owner=journey.bucket_id) for journey in found]


# The names are read anew for each batch.
exit_runs = Consumer(
    exit_people,
    concerns=lambda submission: submission.name in index().exit_names,
    event_names=lambda: index().exit_names,
    question="journeys_live_runs",
    hear=runs_considered,
)
wake_waiters = Consumer(wake_waiting, concerns=lambda _: False, question="journeys_wake", hear=hear_woken)
enrol = Consumer(
    enrol_people,
    concerns=lambda submission: submission.name in index().by_trigger,
    event_names=lambda: frozenset(index().by_trigger),
    listeners=_listeners,
)
