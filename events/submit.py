"""Group commit: the events which arrive while one transaction runs are recorded together by the next one.

There is no thread for it. Whoever finds a lane free leads: records what is queued and wakes those who wait; if more
has queued meanwhile, one of the waiting leads next. An idle server answers at once, a busy one commits less often.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import structlog
from django.conf import settings
from django.db import connection, transaction

from contacts.rules import MergeNeededError
from events.actions import ingest_events, ingest_merging, ingest_quickly, recorded_before
from events.routing import concerns_somebody
from events.submission import Answer, Submission
from hogsend.api.errors import ApiError
from hogsend.api.writes import busy, drop_dead_connection, refusal, sqlstate, tried

if TYPE_CHECKING:
    from hogsend.postgres.base import DatabaseWrapper

Outcome = Answer | ApiError
Runner = Callable[[Sequence[Submission]], list[Outcome]]

log = structlog.get_logger(__name__)


class Ticket:
    """Submissions which wait for their outcomes, and for being told to lead."""

    __slots__ = ("_wake", "later", "leads", "outcomes", "submissions")

    def __init__(self, submissions: Sequence[Submission], *, later: bool) -> None:
        self.submissions = submissions
        self.later = later
        self.outcomes: list[Outcome] | None = None
        self.leads = False
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self) -> None:
        """Sleep until there are outcomes or it is this ticket's turn to lead."""
        self._wake.acquire()

    def wake(self) -> None:
        """End the wait."""
        self._wake.release()


class Leader:
    """The queue of one process, and how many transactions it runs at a time.

    Of what it runs together, tickets with a submission for which ``later`` is true come last.
    """

    def __init__(
        self, run: Runner, *, lanes: int, size: int, later: Callable[[Submission], bool] = lambda _: False
    ) -> None:
        self._run, self._free, self._size, self._later = run, lanes, size, later
        self._lock = threading.Lock()
        self._queue: list[Ticket] = []

    def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Record ``submissions`` with whatever else is queued and return their outcomes, in order."""
        ticket = Ticket(submissions, later=any(map(self._later, submissions)))
        with self._lock:
            ticket.leads = self._free > 0
            if ticket.leads:
                self._free -= 1
            else:
                self._queue.append(ticket)
        if not ticket.leads:
            ticket.wait()
        if ticket.leads:
            self._lead(ticket)
        if ticket.outcomes is None:
            raise busy()
        return ticket.outcomes

    def _lead(self, ticket: Ticket) -> None:
        tickets = sorted(self._gather(ticket), key=lambda one: one.later)
        try:
            outcomes = iter(self._run([one for each in tickets for one in each.submissions]))
            for each in tickets:
                each.outcomes = [next(outcomes) for _ in each.submissions]
        finally:
            self._hand_over()
            for each in tickets:
                if each is not ticket:
                    each.wake()

    def _gather(self, ticket: Ticket) -> list[Ticket]:
        """Take tickets from the queue while they fit into one transaction."""
        with self._lock:
            room, count = self._size - len(ticket.submissions), 0
            for each in self._queue:
                room -= len(each.submissions)
                if room < 0:
                    break
                count += 1
            taken, self._queue = self._queue[:count], self._queue[count:]
        return [ticket, *taken]

    def _hand_over(self) -> None:
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            following = self._queue.pop(0)
            following.leads = True
        following.wake()


def submit_events(submissions: Sequence[Submission]) -> list[Outcome]:
    """Record events from outside, together with those of other requests, and return each one's outcome in order."""
    return _leader(settings.HOGSEND_INGEST_LANES, settings.HOGSEND_INGEST_BATCH).submit(submissions)


@lru_cache(maxsize=4)
def _leader(lanes: int, size: int) -> Leader:
    return Leader(run, lanes=lanes, size=size, later=concerns_somebody)


def run(submissions: Sequence[Submission]) -> list[Outcome]:
    """Record ``submissions``, a row of those that take the same way in one transaction; when that fails, each alone.

    One that merges people goes alone, between those before and those after it, and holds up nobody's retry. A
    submission that is tried again is the same event.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < len(submissions):
        alike, concerning = _alike(submissions[len(outcomes) :])
        try:
            with _taken_unasked():
                outcomes += _record(alike) if concerning else _record_quickly(alike)
        except MergeNeededError as needed:
            outcomes += run(alike[: needed.position])
            outcomes.append(_alone(alike[needed.position]))
        except Exception as error:  # noqa: BLE001 - whatever went wrong with one event must not take its neighbours along
            if len(alike) > 1:
                log.warning("events.batch_failed", count=len(alike), error=str(error), sqlstate=sqlstate(error))
            drop_dead_connection()
            outcomes += [_alone(one) for one in alike]
    return outcomes


def _alike(submissions: Sequence[Submission]) -> tuple[Sequence[Submission], bool]:
    """Return the first ones, as far as they all concern somebody or all do not, and which of the two it is."""
    concerning = concerns_somebody(submissions[0])
    end = next((n for n, one in enumerate(submissions) if concerns_somebody(one) is not concerning), len(submissions))
    return submissions[:end], concerning


@contextmanager
def _taken_unasked() -> Iterator[None]:
    """Take a connection without asking whether it works: whatever fails in the block is tried again."""
    database = cast("DatabaseWrapper", connection)
    database.asks_first = False
    try:
        yield
    finally:
        database.asks_first = True


def _record_quickly(submissions: Sequence[Submission]) -> list[Answer]:
    # Inside somebody's transaction a fault must not take that along.
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        answers = ingest_quickly(submissions)
    return _record(submissions) if answers is None else answers


def _record(submissions: Sequence[Submission]) -> list[Answer]:
    with transaction.atomic():
        return ingest_events(submissions)


def _record_merging(submission: Submission) -> Answer:
    with transaction.atomic():
        return ingest_merging(submission)


def _alone(one: Submission) -> Outcome:
    try:
        return tried(lambda: _once(one))
    except ApiError as error:
        return error
    except Exception as error:  # noqa: BLE001 - each caller must get an answer
        return refusal(error)


def _once(one: Submission) -> Answer:
    """Record one event, merging people, unless a transaction whose end we did not hear of has done so."""
    before = recorded_before([one.id])
    if one.id in before:
        return Answer(stored=True, contact_id=before[one.id])
    return _record_merging(one)
