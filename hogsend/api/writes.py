"""What a request writes: tried again where that may help, refused with a sentence where it cannot."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import Error, InterfaceError, OperationalError, connection, transaction

from hogsend.api.errors import ApiError

Answer = TypeVar("Answer")

ATTEMPTS = 3
PAUSE = 0.01
RETRIED = ("40P01", "40001", "23505", "55P03", "57P01", "57P02", "57P03")
LOCK_TIMEOUT = "set local lock_timeout = '5s'"
BUSY = (
    "The database was busy with this person or could not be reached; send the same again, with the same idempotency "
    "key if it has one."
)
UNSTORABLE = (
    "The request holds a value that cannot be stored: a number out of range, or text that is not valid Unicode."
)

log = structlog.get_logger(__name__)


def written(write: Callable[[], Answer], *, bounds_its_waits: bool = False) -> Answer:
    """Run ``write`` in a transaction of its own, up to three times, and return what it returns.

    Raises ApiError: 503 when the database stays busy or away, 400 when it cannot store a value. Nobody waits for a
    lock for more than five seconds; a write that sees to that itself says so.
    """

    def once() -> Answer:
        with transaction.atomic():
            if not bounds_its_waits:
                with connection.cursor() as cursor:
                    cursor.execute(LOCK_TIMEOUT)
            return write()

    try:
        return tried(once)
    except Error as error:
        raise refusal(error) from error


def tried(write: Callable[[], Answer]) -> Answer:
    """Call ``write``, and again while a lost race or a lost connection is what stops it, up to three times.

    Raises ApiError 503 when that goes on, and whatever else ``write`` raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return write()
        except Exception as error:
            if not is_retryable(error):
                raise
            log.warning("api.retry", attempt=attempt, error=str(error), sqlstate=sqlstate(error))
            drop_dead_connection()
            time.sleep(PAUSE * attempt)
    raise busy()


def busy() -> ApiError:
    """Say that the same request may succeed in a moment."""
    return ApiError(503, BUSY, headers={"Retry-After": "1"})


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


def refusal(error: Exception) -> ApiError:
    """Say why a write failed for good: a value that cannot be stored, or a fault of ours."""
    state = sqlstate(error) or ""
    if isinstance(error, Error) and state[:2] in {"22", "54"}:
        return ApiError(400, UNSTORABLE, [{"path": [], "code": "unstorable", "message": str(error).splitlines()[0]}])
    log.error("api.not_written", exc_info=error)
    return ApiError(500, "Internal Server Error")


def drop_dead_connection() -> None:
    """Let go of a connection that was cut off."""
    if connection.in_atomic_block or connection.connection is None or connection.is_usable():
        return
    connection.close()
