"""The journal of one run during one slice: what was recorded answers, what is new is recorded once."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from journeys.actions.end import leave_run
from journeys.actions.lease import Due, Lease, RecordedStep
from journeys.actions.record import Step, Wait, lock_contact, record_steps, resolve_wait, suspend_run
from journeys.control import (
    DatabaseAway,
    DuplicateStepKeyError,
    JourneyExited,
    LeaseLost,
    OpenTransactionError,
    StepLimitReached,
    Suspend,
    UnstableReplayError,
)
from journeys.event_wait import EventWait
from journeys.heartbeat import Pulse
from journeys.models import StepStatus
from journeys.queries import standing_of
from journeys.rules import MAX_STEPS, storable, to_json

TRIES: Final = 3
DATABASE_ERRORS: Final = (OperationalError, InterfaceError)

Answer = TypeVar("Answer")


class Journal:
    """Answers the steps of a run from its record and adds new ones.

    What only reads is *noted*, and written together with the next step that has an effect: if the worker dies before,
    nothing was built on it. Everything else is written at once, after proof that the run is live and still ours.
    """

    def __init__(self, lease: Lease, due: Due, pulse: Pulse, *, same_code: bool) -> None:
        self.lease = lease
        self.site = "start"
        self.ended: BaseException | None = None
        self.notes: list[Step] = []
        self._due = due
        self._pulse = pulse
        self._same_code = same_code
        self._seq = len(lease.steps)
        self._visited: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._began = time.monotonic()
        self._depth = _open_transactions()

    def now(self) -> datetime:
        """Return the database's clock: its time when the slice began, and what has passed since."""
        return self.lease.taken_at + timedelta(seconds=time.monotonic() - self._began)

    def numbered(self, key: str) -> str:
        """Return ``key`` the first time, ``key#2`` the second time, and so on."""
        key = storable(key)
        self._counts[key] += 1
        return key if self._counts[key] == 1 else f"{key}#{self._counts[key]}"

    def recall(self, key: str) -> RecordedStep | None:
        """Return what was recorded under ``key``, if anything.

        Raises whatever has ended the slice, OpenTransactionError, and DuplicateStepKeyError for a key met before.
        """
        self.check()
        if key in self._visited:
            raise DuplicateStepKeyError(
                f"This run has met the step {key!r} before. Pass key='…' to tell the two apart; a number would shift "
                "when a line is inserted, and the person would get a mail twice."
            )
        self._visited.add(key)
        return self.lease.steps.get(key)

    def check(self) -> None:
        """Raise what has ended the slice, or OpenTransactionError."""
        if self.ended is not None:
            raise self.ended
        if _open_transactions() != self._depth:
            raise OpenTransactionError(
                "A journey must not call ctx or send_email inside transaction.atomic(): a rollback would undo what was "
                "recorded. Close the transaction first, or do the work in ctx.once(...)."
            )
        if self._pulse.lost:
            self.insist(lambda: False)

    def read(self, key: str, kind: str, ask: Callable[[], Any]) -> Any:
        """Answer a read from the record, or ask and note the answer. Returns decoded JSON both times."""
        key = self.numbered(key)
        found = self.recall(key)
        return self.note(key, kind, self._asked(ask)) if found is None else json.loads(found.result or "null")

    def note(self, key: str, kind: str, value: Any) -> Any:
        """Remember a finished step for the next write, and return ``value`` as it will be replayed."""
        now = self.now()
        encoded = to_json(value, what=f"The result of {key!r}")
        # A step that waited has its number; one more would be taken again after a crash.
        number = 0 if key in self.lease.steps else self._next()
        self.notes.append(Step(number, key, kind, StepStatus.DONE, encoded, None, now, now))
        return json.loads(encoded)

    def write(self) -> None:
        """Write what was noted."""
        self.insist(lambda: record_steps(self.lease, self.notes, node=self.site))
        self.notes.clear()

    def write_with(self, effect: Callable[[datetime], tuple[str, str, Any]]) -> Any:
        """Do ``effect(now)`` and record the step (key, kind, result) that it returns, in one transaction.

        ``effect`` runs under the lock of the run's person; if the run turns out not to be ours any more, it is undone.
        """
        results: list[Any] = []

        def attempt() -> bool:
            now = lock_contact(self.lease.contact_id)
            results[:] = [self.note(*effect(now))]
            return record_steps(self.lease, self.notes, node=self.site)

        self._insist_together(attempt)
        return results[0]

    def suspend(self, key: str, deadline: datetime, recorded: RecordedStep | None, *, now: datetime) -> NoReturn:
        """Let the run wait until ``deadline``. Raises Suspend once that is written."""
        self._prove_stable()
        if recorded is None:
            self.notes.append(Step(self._next(), key, "sleep", StepStatus.PENDING, None, deadline, now, None))
        wait = Wait(key, self.site, deadline, self._due.wakeup_ids)
        self.insist(lambda: suspend_run(self.lease, self.notes, wait, now=now))
        self.end(Suspend())

    def await_event(self, key: str, wait: EventWait, recorded: RecordedStep | None) -> Any:
        """Return how a wait for an event ended, or let the run wait on and raise Suspend.

        Looks for the event under the lock of the person, as it is recorded: it is either seen here or wakes the run.
        """
        self._prove_stable()
        answers: list[Any] = []

        def attempt() -> bool:
            now = lock_contact(self.lease.contact_id)
            armed = wait.armed_again(recorded) if recorded is not None else wait.arm(now)
            found = armed.first_event(self.lease.contact_id)
            over = armed.deadline <= now or key in self._due.timers
            place = Wait(key, self.site, armed.deadline, self._due.wakeup_ids, wait.event)
            answers.clear()
            if found is not None or over:
                answers.append(self.note(key, "event", found or {"timed_out": True}))
                return resolve_wait(self.lease, self.notes, place)
            if recorded is None:
                pending = Step(self._next(), key, "event", StepStatus.PENDING, armed.kept(), armed.deadline, now, None)
                self.notes.append(pending)
            return suspend_run(self.lease, self.notes, place, now=now)

        self._insist_together(attempt)
        if not answers:
            self.end(Suspend())
        return answers[0]

    def leave(self, reason: str) -> NoReturn:
        """End the run as exited. Raises JourneyExited once that is written."""
        self.check()
        self.insist(lambda: leave_run(self.lease, self.notes, reason=reason))
        self.end(JourneyExited())

    def insist(self, write: Callable[[], bool]) -> None:
        """Write something fenced, for the person to whom the run belongs by now if theirs was merged meanwhile.

        Raises JourneyExited, LeaseLost or DatabaseAway, which end the slice.
        """
        for _ in range(TRIES):
            if self._asked(write):
                return
            standing = self._asked(lambda: standing_of(self.lease.run_id))
            if standing is None or not standing.live:
                self.end(JourneyExited())
            if standing.token != self.lease.token or standing.contact_id == self.lease.contact_id:
                break
            self.lease.contact_id = standing.contact_id
        self.end(LeaseLost())

    def _insist_together(self, write: Callable[[], bool]) -> None:
        """Insist on what is written in one transaction with its own notes; if it is undone, so are they."""
        mark = self.mark()

        def attempt() -> bool:
            self.restore(mark)
            with transaction.atomic():
                written = write()
                transaction.set_rollback(not written)
            return written

        try:
            self.insist(attempt)
        except BaseException:
            # What was undone must not be written later as if it had happened.
            self.restore(mark)
            raise
        self.notes.clear()

    def mark(self) -> tuple[int, int]:
        """Return what ``restore`` needs to forget all that is noted from here on, and its numbers."""
        return len(self.notes), self._seq

    def restore(self, mark: tuple[int, int]) -> None:
        """Forget what was noted since ``mark``, because it was undone."""
        noted, self._seq = mark
        del self.notes[noted:]

    def end(self, signal: BaseException) -> NoReturn:
        """End the slice: from now on every call raises ``signal``."""
        self.ended = signal
        raise signal

    def is_over(self, key: str, step: RecordedStep) -> bool:
        """Say whether a wait is over: its time has come, or the wakeup that was set for it has."""
        return key in self._due.timers or (step.deadline is not None and step.deadline <= self.now())

    def unvisited(self) -> list[str]:
        """Return the recorded steps that this replay did not meet."""
        return [key for key in self.lease.steps if key not in self._visited]

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the database; its errors end the slice, so that no journey takes them for its own."""
        try:
            return ask()
        except DATABASE_ERRORS as error:
            self.end(DatabaseAway(error))

    def _next(self) -> int:
        self._seq += 1
        if self._seq > MAX_STEPS:
            self.end(StepLimitReached())
        return self._seq

    def _prove_stable(self) -> None:
        missed = [key for key in self._due.timers if key in self.lease.steps and key not in self._visited]
        if missed and self._same_code:
            raise UnstableReplayError(
                f"The run waited at {missed[0]!r}, but its replay came to another wait. Give waits of computed length "
                "a label, and take the time and random choices from ctx.now() and ctx.once(...)."
            )


def _open_transactions() -> int:
    return connection.in_atomic_block + len(connection.savepoint_ids)
