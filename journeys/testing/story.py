"""``play``: one person's way through one journey, told by a test."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from events.definitions import NewEvent
from events.models import Event
from journeys.definitions import Journey, registry
from journeys.models import EnrolmentSkip, EventWaiter, JourneyRun, JourneyStep, RunStatus, StepStatus
from journeys.queries import recorded_runs
from journeys.rules import SkipReason
from journeys.testing.mailbox import Mail, mails_of_journey
from journeys.testing.person import Person
from journeys.verdicts import Verdict, judge

NOT_ENTERED = "skipped"


class JourneyFailedError(AssertionError):
    """The code of the journey raised an error; the message is its traceback."""


class ReplayDiffersError(AssertionError):
    """The code took another way when what is recorded was played again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a run waits for: the label of the wait, the event if it is one, and until when."""

    label: str
    event: str | None
    until: datetime


class Story:
    """One person's way through one journey. What happens is told by its methods, what became of it by its attributes.

    All methods that let something happen return the story, and raise JourneyFailedError if the journey's code raised.
    """

    def __init__(self, journey: Journey, person: Person) -> None:
        self.journey = journey
        self.person = person

    def again(self, event: Mapping[str, Any] | None = None) -> Self:
        """Let the event that starts the journey happen once more."""
        person = self.person
        return self._then(
            lambda: person.world.happens(NewEvent(person.contact_id, self.journey.trigger, dict(event or {})))
        )

    def does(self, event: str, /, **properties: Any) -> Self:
        """Let the person do something now."""
        return self._then(lambda: self.person.does(event, **properties))

    def becomes(self, **properties: Any) -> Self:
        """Let the person have other properties from now on."""
        return self._then(lambda: self.person.becomes(**properties))

    def after(self, duration: timedelta) -> Self:
        """Let ``duration`` pass; what is due on the way happens at its time."""
        return self._then(lambda: self.person.after(duration))

    def until(self, moment: datetime | str) -> Self:
        """Let time pass until ``moment``, a datetime with a zone or ISO 8601 text with an offset."""
        return self._then(lambda: self.person.until(moment))

    def unsubscribes(self, category: str | None = None) -> Self:
        """Let the person want no more mail of a category, or no mail at all."""
        return self._then(lambda: self.person.unsubscribes(category))

    def replay(self) -> Self:
        """Play what is recorded against the code once more. Raises ReplayDiffersError if anything would change."""
        run = self.run
        if run is not None:
            with self.person.world.in_play():
                recorded = next(one for one in recorded_runs([self.journey.id], ended=True) if one.id == run.id)
                judged = judge(recorded)
            if judged.verdict is not Verdict.SAME:
                raise ReplayDiffersError(f"A replay of {self!r} differs. {judged.why}")
        return self

    @property
    def run(self) -> JourneyRun | None:
        """The person's last run through the journey, if there is one."""
        runs = JourneyRun.objects.filter(journey_id=self.journey.id, contact_id=self.person.contact_id)
        return runs.order_by("-entry_number").first()

    @property
    def sent(self) -> list[str]:
        """The ids of the mails that the person was sent by the journey, in order."""
        return [mail.email_id for mail in self.mailbox]

    @property
    def mailbox(self) -> list[Mail]:
        """The mails themselves."""
        return [mail for mail in self._mails() if not mail.reason]

    @property
    def withheld(self) -> list[tuple[str, str]]:
        """The mails that were deliberately not sent, each with the reason."""
        return [(mail.email_id, mail.reason) for mail in self._mails() if mail.reason]

    @property
    def status(self) -> str:
        """Where the last run stands: waiting, completed, exited or failed; skipped if there is none."""
        run = self.run
        return NOT_ENTERED if run is None else RunStatus(run.status).value

    @property
    def skipped(self) -> str | None:
        """Why the last event that could have started the journey did not; None if it did."""
        told = Event.objects.filter(contact_id=self.person.contact_id, name=self.journey.trigger)
        event = told.order_by("-seq").first()
        run = self.run
        if event is None or (run is not None and run.trigger_event_id == event.id):
            return None
        reasons = EnrolmentSkip.objects.filter(journey_id=self.journey.id, event_id=event.id)
        reason = reasons.values_list("reason", flat=True).first()
        return reason or SkipReason.DISABLED.value

    @property
    def exit_reason(self) -> str:
        """Why the last run ended early: the event that ended it, or what ctx.exit was given."""
        run = self.run
        return "" if run is None else run.exit_reason

    @property
    def waits_for(self) -> Waiting | None:
        """What the last run waits for now, if it waits."""
        run = self.run
        step = run and JourneyStep.objects.filter(run=run, status=StepStatus.PENDING).order_by("-seq").first()
        if run is None or not step or run.status != RunStatus.WAITING or step.deadline is None:
            return None
        event = EventWaiter.objects.filter(run=run, step_key=step.key).values_list("event_name", flat=True).first()
        return Waiting(run.node, event, step.deadline)

    @property
    def steps(self) -> list[str]:
        """The keys of what the last run has recorded, in order."""
        return list(JourneyStep.objects.filter(run=self.run).values_list("key", flat=True))

    @property
    def events(self) -> list[str]:
        """The names of all that was recorded about the person, in order; not what the engine tells of journeys."""
        return self.person.events

    def _mails(self) -> list[Mail]:
        return mails_of_journey(self.journey.id, self.person.contact_id)

    def _then(self, happen: Callable[[], object]) -> Self:
        happen()
        run = self.run
        if run is not None and run.status == RunStatus.FAILED:
            raise JourneyFailedError(f"{self!r} failed:\n{run.error}")
        return self

    def __repr__(self) -> str:
        wait = self.waits_for
        stands = self.skipped if self.run is None else self.exit_reason
        details = f"at {wait.label!r} until {wait.until:%a %Y-%m-%d %H:%M}" if wait else stands or ""
        return f"<{self.journey.id} of {self.person.user_id}: {self.status} {details}".rstrip() + f", sent {self.sent}>"


def play(
    journey: Journey | str,
    person: Person | None = None,
    *,
    event: Mapping[str, Any] | None = None,
    among: Iterable[Journey | str] = (),
) -> Story:
    """Let the event that starts ``journey`` happen to somebody, and return the story of what follows.

    The engine is the real one, on the database of the test. No worker is needed, and no time passes but what the story
    lets pass. Other journeys do not take part unless they are named, or played for somebody in the same test.

    Args:
        journey: The journey, or its id.
        person: Who it happens to; ada, at ada@example.com, if not given.
        event: The properties of the event that starts it.
        among: Journeys that take part as well.

    Raises UnknownIdError, NoTestDatabaseError, JourneyFailedError.

    Example:
        >>> play("activation-welcome").after(days(2)).sent  # doctest: +SKIP
        ['welcome', 'activation-nudge']
    """
    declared = _declared(journey)
    somebody = person or Person()
    somebody.world.journey_ids |= {declared.id, *(_declared(one).id for one in among)}
    return Story(declared, somebody).again(event)


def _declared(journey: Journey | str) -> Journey:
    return registry.get(journey) if isinstance(journey, str) else registry.get(journey.id)
