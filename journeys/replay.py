"""Play what a run has recorded against the code as it is, without any effect."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from journeys.actions.lease import Due, Lease, RecordedStep
from journeys.control import JourneyExited, Suspend
from journeys.definitions import Journey
from journeys.deploys import is_live
from journeys.heartbeat import Pulse
from journeys.journal import Journal
from journeys.models import StepStatus
from journeys.queries import RecordedRun
from journeys.runtime import call_journey

MOST_IMAGINED: Final = 50
# What a new step answers if all goes as it mostly does; a wait passes, and its event does not come.
IMAGINED: Final[dict[str, Any]] = {
    "send": {"send_id": "", "status": "queued", "reason": ""},
    "trigger": {"event_id": "", "stored": True, "reason": ""},
    "identify": None,
    "capture": None,
    "checkpoint": None,
    "event": {"timed_out": True},
}
READ: Final = ("user", "now", "when", "guard", "history.event", "history.journey", "history.email")
LIKE_BEFORE: Final = ("zone",)


class Arrived(Suspend):
    """The replay has come to where the run stands."""


class Unforeseeable(Suspend):
    """The replay has come to a new step whose answer nobody can know without taking it."""


class Imaginable(Suspend):
    """The replay has come to a new step whose answer can be imagined; its text is the step's key."""


class Replay(Journal):
    """The journal of a run that is only looked at: it answers what was recorded and writes nothing.

    It ends where the run stands: at the wait that is not over, or at the first step that no recorded one lies beyond.
    """

    def __init__(self, lease: Lease, due: Due, *, same_code: bool, may_ask: bool) -> None:
        super().__init__(lease, due, Pulse(lease, math.inf), same_code=same_code)
        self.met: list[str] = []
        self.new: list[str] = []
        self._may_ask = may_ask

    def now(self) -> datetime:
        """Return the moment of the replay."""
        return self.lease.taken_at

    def recall(self, key: str) -> RecordedStep | None:
        """Return what was recorded; ends the replay where the run stands, or where it cannot be followed further."""
        found = super().recall(key)
        kind = key.partition(":")[0]
        if found is not None:
            self.met.append(key)
            if found.result is None:
                self.end(Arrived())
        elif kind != "patched":
            self._take(key, kind)
        return found

    def read(self, key: str, kind: str, ask: Callable[[], Any]) -> Any:
        """Answer a read as a run would, but for those that ask others than the database."""
        return super().read(key, kind, (lambda: self._last_of(kind)) if kind in LIKE_BEFORE else ask)

    def leave(self, reason: str) -> NoReturn:  # noqa: ARG002 - the run does not leave
        """End the replay as the journey would end the run."""
        self.check()
        self.end(JourneyExited())

    def _take(self, key: str, kind: str) -> None:
        """Take note of a new step, if recorded ones lie beyond it."""
        if is_live(self.lease.steps, self.unvisited()):
            self.end(Arrived())
        self.met.append(key)
        self.new.append(key)
        if kind in ("sleep", "event"):
            self._prove_stable()
        if kind == "sleep" or kind in IMAGINED:
            self.end(Imaginable(key))
        can_answer = self._may_ask if kind in READ else self._last_of(kind) is not None
        if kind not in (*READ, *LIKE_BEFORE) or not can_answer:
            self.end(Unforeseeable())

    def _last_of(self, kind: str) -> Any:
        known = [step.result for key, step in self.lease.steps.items() if key.startswith(f"{kind}:")]
        return json.loads(known[-1] or "null") if known else None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay went: the keys it met and made in their order, those it did not meet, and how it ended.

    ``missed`` is empty for a replay that was cut short: what would have come later is not known.
    """

    met: list[str]
    new: list[str]
    missed: list[str]
    ended: BaseException | None
    error: Exception | None

    @property
    def was_cut_short(self) -> bool:
        """Whether it could not be followed to where the run stands."""
        return isinstance(self.ended, Unforeseeable | Imaginable)

    @property
    def came_to_the_end(self) -> bool:
        """Whether the journey's code returned, or left."""
        return self.error is None and (self.ended is None or isinstance(self.ended, JourneyExited))


def replay(run: RecordedRun, journey: Journey, *, now: datetime | None) -> Replayed:
    """Play a run up to where it stands, imagining the answers of new steps.

    With ``now``, new questions about the person are answered by the database; without, it is not touched.
    """
    steps = {step["key"]: _recorded(step) for step in run.steps}
    imagined: set[str] = set()
    while True:
        journal = _journal(run, journey, steps, now)
        error = call_journey(journey, journal, version=run.version)
        if not isinstance(journal.ended, Imaginable) or len(imagined) == MOST_IMAGINED:
            break
        key = str(journal.ended)
        imagined.add(key)
        steps = {**steps, key: _imagined(key, journal.now())}
    new = [key for key in journal.met if key in imagined or key in journal.new]
    missed = [key for key in journal.unvisited() if key not in imagined]
    found = Replayed(journal.met, new, missed, journal.ended, error)
    if found.was_cut_short:
        found.missed.clear()
    return found


def _journal(run: RecordedRun, journey: Journey, steps: dict[str, RecordedStep], now: datetime | None) -> Replay:
    lease = Lease(
        run_id=run.id,
        token=0,
        contact_id=run.contact_id,
        context=run.context,
        code_hash=run.code_hash,
        crash_count=0,
        taken_at=now or run.at,
        user_key=run.user_key,
        email=run.email,
        contact_gone=False,
        hop=0,
        steps=steps,
    )
    waits = [key for key, step in steps.items() if step.result is None]
    due = Due(run.id, run.journey_id, [], waits, 1, run.version)
    same_code = run.code_hash == journey.code_hash_of(run.version)
    return Replay(lease, due, same_code=same_code, may_ask=now is not None)


def _recorded(step: dict[str, Any]) -> RecordedStep:
    deadline = step["deadline"]
    return RecordedStep(
        result=json.dumps(step["result"]) if step["status"] == StepStatus.DONE else None,
        deadline=None if deadline is None else datetime.fromisoformat(deadline),
        created_at=datetime.fromisoformat(step["createdAt"]),
    )


def _imagined(key: str, moment: datetime) -> RecordedStep:
    at, kind = moment.isoformat(), key.partition(":")[0]
    answer = {"slept_at": at, "resumed_at": at} if kind == "sleep" else IMAGINED[kind]
    return RecordedStep(json.dumps(answer), None, moment)
