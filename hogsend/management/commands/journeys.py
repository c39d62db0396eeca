"""`manage.py journeys`: how journeys stand, who is on the way, and what operators do about it."""

import getpass
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import CommandError

from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.lib.wire import wire_time
from hogsend.management.people import PersonCommand
from journeys.actions.end import RunNotFoundError, RunStateError, cancel_run, retry_run
from journeys.actions.invite import EnrolResult, Guest, enrol_person
from journeys.actions.operate import set_journey, skip_wait
from journeys.chronicle import chronicle
from journeys.definitions import Journey, registry
from journeys.guests import InvalidPropertiesError, properties_of
from journeys.models import JourneyRun, RunStatus
from journeys.overview import awaited, journeys_here, overviews, runs
from journeys.wire import enrolled_body, journey_body, log_body, state_body, switched_body

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {
    **dict.fromkeys(("list", "runs"), 0),
    **dict.fromkeys(("show", "cancel", "retry", "skip-wait", "pause", "resume", "enable", "disable"), 1),
    "enrol": 2,
}
SWITCHES: dict[str, tuple[dict[str, bool], str]] = {
    "pause": ({"paused": True}, "is paused: its runs stand still, and whoever enters stands at the start"),
    "resume": ({"paused": False}, "goes on; what became due meanwhile goes first"),
    "enable": ({"enabled": True}, "is on"),
    "disable": ({"enabled": False}, "is off: nobody enters, and its runs go on"),
}
Answer = tuple[Any, str]


class Command(PersonCommand):
    help = (
        "Show journeys (list), runs (runs, show RUN), and act on them: cancel RUN, retry RUN, skip-wait RUN, "
        "enrol JOURNEY PERSON, and pause, resume, enable or disable JOURNEY. Exits with 1 if it was not done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", nargs="?", choices=NAMES, default="list")
        parser.add_argument("names", nargs="*", metavar="NAME", help="the run's or journey's id; for enrol, also whom")
        parser.add_argument("--journey", help="runs of this journey alone")
        parser.add_argument("--status", choices=RunStatus.values, help="runs of this status alone")
        parser.add_argument("--limit", type=int, default=50, help="how many runs to show; 50 if not given")
        parser.add_argument("--properties", default="", metavar="JSON", help="for enrol: what the run is told")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> Answer:
        """Do what was asked for."""
        what, names = options["what"], options["names"]
        if len(names) != NAMES[what]:
            wanted = {0: "no name", 1: "one id", 2: "a journey and a person"}[NAMES[what]]
            raise CommandError(f"`journeys {what}` takes {wanted}; {len(names)} were given.")
        if what in SWITCHES:
            return _switched(what, names[0])
        if what == "enrol":
            return self._enrolled(_declared(names[0]), names[1], options)
        if what in {"list", "runs"}:
            return _listed() if what == "list" else _runs(options)
        return _shown(_run(names[0])) if what == "show" else _moved(what, _run(names[0]))

    def _enrolled(self, journey: Journey, name: str, options: dict[str, Any]) -> Answer:
        person = self.person(name, options)
        try:
            guest = Guest(person.pk, properties_of(options["properties"]))
        except InvalidPropertiesError as error:
            raise CommandError(str(error)) from error
        answer = written(lambda: enrol_person(journey=journey, guest=guest, by=_operator(), now=database_now()))
        if answer.result is not EnrolResult.ENROLLED:
            raise CommandError(f"{person}: {answer.sentence}")
        return enrolled_body(name, answer), f"{person}: {answer.sentence} Its run is {answer.run_id}."


def _listed() -> Answer:
    found = overviews(journeys_here())
    lines = [
        f"{one.journey.id}  {_state(one.enabled, one.override.paused)}  on the way {one.live:,}, completed "
        f"{one.counts['completed']:,}, exited {one.counts['exited']:,}, failed {one.counts['failed']:,}"
        for one in found
    ]
    return {"journeys": [journey_body(one) for one in found]}, "\n".join(lines) or "No journey is declared here."


def _state(enabled: bool, paused: bool) -> str:  # noqa: FBT001 - two words of one line
    return ("on" if enabled else "off") + (", paused" if paused else "")


def _runs(options: dict[str, Any]) -> Answer:
    if options["limit"] < 1:
        raise CommandError(f"--limit is {options['limit']}; give 1 or more.")
    found = list(runs(journey_id=options["journey"], status=options["status"])[: options["limit"]])
    states = _states(found)
    lines = [f"{one['id']}  {one['journeyId']}  {one['userId']}  {_stands(one)}" for one in states]
    return {"states": states}, "\n".join(lines) or "There is no such run."


def _shown(run: JourneyRun) -> Answer:
    [state] = _states([run])
    entries = chronicle(run)
    lines = [f"{state['id']}  {state['journeyId']}  {state['userId']}  {_stands(state)}"]
    lines += [f"{wire_time(entry.at)}  {entry.action}  {entry.to_node or entry.from_node or ''}" for entry in entries]
    lines += [state["errorMessage"]] if state["errorMessage"] else []
    return {"state": state, "logs": [log_body(entry) for entry in entries]}, "\n".join(lines)


def _stands(state: dict[str, Any]) -> str:
    waits = state["waitsFor"]
    if waits is None:
        return f"{state['status']} at {state['currentNodeId']}"
    return f"waits at {waits['label']} for {waits.get('event', 'time to pass')} until {state['waitsUntil']}"


def _states(found: list[JourneyRun]) -> list[dict[str, Any]]:
    waits = awaited(found)
    return [state_body(run, waits.get(run.id)) for run in found]


def _moved(what: str, run: JourneyRun) -> Answer:
    by = _operator()
    acts: dict[str, tuple[Callable[[], None], str]] = {
        "cancel": (lambda: cancel_run(run_id=run.id, reason=f"cancelled by {by}"), "The run has left its journey."),
        "retry": (lambda: retry_run(run_id=run.id), "The run goes on after its last recorded step."),
        "skip-wait": (
            lambda: skip_wait(run_id=run.id, by=by, now=database_now()),
            "The wait is over; the run goes on, once its journey is not paused.",
        ),
    }
    act, sentence = acts[what]
    try:
        written(act)
    except (RunNotFoundError, RunStateError) as error:
        raise CommandError(str(error)) from error
    return {"state": _states([_run(str(run.id))])[0]}, sentence


def _switched(what: str, journey_id: str) -> Answer:
    change, said = SWITCHES[what]
    journey = _declared(journey_id)
    if what == "enable" and not journey.enabled:
        raise CommandError(f"The journey {journey_id!r} is declared with enabled=False; switch it on in the code.")
    override = written(lambda: set_journey(journey_id=journey_id, **change))
    return {"journey": switched_body(journey, override)}, f"The journey {journey_id} {said}."


def _declared(journey_id: str) -> Journey:
    if journey_id not in registry:
        raise CommandError(f"{registry.unknown(journey_id)} `manage.py journeys list` shows what is declared.")
    return registry.get(journey_id)


def _run(name: str) -> JourneyRun:
    try:
        run = runs().filter(id=UUID(name)).first()
    except ValueError:
        raise CommandError(f"{name!r} is not the id of a run; `manage.py journeys runs` shows them.") from None
    if run is None:
        raise CommandError(f"There is no run {name}; it may have been erased with its person.")
    return run


def _operator() -> str:
    """Return who sits at the console, as far as the system knows."""
    try:
        return f"{getpass.getuser()} at a console"
    except (OSError, KeyError):
        return "somebody at a console"
