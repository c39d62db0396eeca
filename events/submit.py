"""Group commit: the events which arrive while one transaction runs are recorded together by the next one.

There is no thread for it. Whoever finds a lane free leads: records what is queued and wakes those who wait; if more
has queued meanwhile, one of the waiting leads next. An idle server answers at once, a busy one commits less often.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import structlog
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection, transaction

from events.actions import ingest_events, recorded_before
from events.submission import Answer, Submission
from hogsend.api.errors import ApiError

Outcome = Answer | ApiError
Runner = Callable[[Sequence[Submission]], list[Outcome]]

ATTEMPTS = 3
PAUSE = 0.01
RETRIED = ("40P01", "40001", "23505", "55P03", "57P01", "57P02", "57P03")
BEGIN = "select now(), set_config('lock_timeout', '5s', true)"
BUSY = "The database was busy with this person or could not be reached; send the event again with its idempotency key."
UNSTORABLE = "This event holds a value that cannot be stored: a number out of range, or text that is not valid Unicode."

log = structlog.get_logger(__name__)


class Ticket:
    """Submissions which wait for their outcomes, and for being told to lead."""

    __slots__ = ("_wake", "leads", "outcomes", "submissions")

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions
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
    """The queue of one process, and how many transactions it runs at a time."""

    def __init__(self, run: Runner, *, lanes: int, size: int) -> None:
        self._run, self._free, self._size = run, lanes, size
        self._lock = threading.Lock()
        self._queue: list[Ticket] = []

    def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Record ``submissions`` with whatever else is queued and return their outcomes, in order."""
        ticket = Ticket(submissions)
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
            raise ApiError(503, BUSY)
        return ticket.outcomes

    def _lead(self, ticket: Ticket) -> None:
        tickets = self._gather(ticket)
        try:
            outcomes = iter(self._run([one for each in tickets for one in each.submissions]))
            for each in tickets:
                each.outcomes = [next(outcomes) for _ in each.submissions]
        finally:
            self._hand_over()
            for each in tickets[1:]:
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
    return Leader(run, lanes=lanes, size=size)


def run(submissions: Sequence[Submission]) -> list[Outcome]:
    """Record ``submissions`` in one transaction; when that fails, each in one of its own, as the same events."""
    try:
        return list(_record(submissions))
    except Exception as error:  # noqa: BLE001 - whatever went wrong with one event must not take its neighbours along
        if len(submissions) > 1:
            log.warning("events.batch_failed", count=len(submissions), error=str(error), sqlstate=sqlstate(error))
        _drop_dead_connection()
    return [_alone(one) for one in submissions]


def _record(submissions: Sequence[Submission]) -> list[Answer]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(BEGIN)
            now = cursor.fetchone()[0]
        return ingest_events(submissions, now=now)


def _alone(one: Submission) -> Outcome:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _once(one)
        except Exception as error:  # noqa: BLE001 - each caller must get an answer
            if not is_retryable(error):
                return _refusal(error)
            log.warning("events.retry", attempt=attempt, error=str(error), sqlstate=sqlstate(error))
            _drop_dead_connection()
            time.sleep(PAUSE * attempt)
    return ApiError(503, BUSY, headers={"Retry-After": "1"})


def _once(one: Submission) -> Answer:
    """Record one event unless a transaction whose end we did not hear of has done so."""
    before = recorded_before([one.id])
    if one.id in before:
        return Answer(stored=True, contact_id=before[one.id])
    return _record([one])[0]


def _drop_dead_connection() -> None:
    """Let go of a connection that was cut off, and of those in the pool that were cut off with it."""
    if connection.in_atomic_block or connection.connection is None or connection.is_usable():
        return
    connection.close()
    if pool := getattr(connection, "pool", None):
        pool.check()


def is_retryable(error: Exception) -> bool:
    """Say whether a second try may succeed: deadlocks, lost races, lock time-outs, lost connections."""
    state = sqlstate(error)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state in RETRIED or state.startswith("08")


def sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of the error, if it has one."""
    state = getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None)
    return None if state is None else str(state)


def _refusal(error: Exception) -> ApiError:
    state = sqlstate(error) or ""
    if isinstance(error, Error) and state[:2] in {"22", "54"}:
        return ApiError(400, UNSTORABLE, [{"path": [], "code": "unstorable", "message": str(error).splitlines()[0]}])
    log.error("events.not_recorded", exc_info=error)
    return ApiError(500, "Internal Server Error")
