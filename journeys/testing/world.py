"""What is played on: the engine of this process, the journeys that take part, and the time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from django.test import override_settings

from emails.actions import deliver_due
from events.actions import emit_events
from events.definitions import NewEvent
from journeys.runtime import advance_due
from journeys.statements import fetch
from journeys.testing.clock import MovedClock

MONDAY: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
MAX_STOPS: Final = 10_000
LOCAL_MAIL: Final = "django.core.mail.backends.locmem.EmailBackend"
QUEUED: Final = "select 1 from emails_emailsend where status = 'queued' limit 1"
NEXT_DUE: Final = """
    select min(w.due_at) from journeys_wakeup w join journeys_journeyrun r on r.id = w.run_id
    where r.journey_id = any(%s) and r.status in ('active', 'waiting')
"""

_present: list["World"] = []


class World:
    """The product in one test. Only journeys that take part let people in and go on."""

    def __init__(self, moment: datetime) -> None:
        self.clock = MovedClock(moment)
        self.journey_ids: set[str] = set()
        # Work takes time that no story knows of; what is due this much later is due on time.
        self._worked = timedelta(0)

    def happens(self, event: NewEvent) -> None:
        """Record an event and let everything follow from it."""
        with self.in_play():
            emit_events([event], now=self.clock.now())

    def move_to(self, moment: datetime) -> None:
        """Let time pass until ``moment``, stopping at each wakeup on the way."""
        with self.in_play():
            for _ in range(MAX_STOPS):
                due = self._next_due()
                if due is None or due > moment + self._worked:
                    break
                self.clock.move_to(due)
                self._settle()
            else:
                raise RuntimeError(f"The journeys woke {MAX_STOPS:,} times on the way to {moment}; is one in a loop?")
            self.clock.move_to(moment)

    @contextmanager
    def in_play(self) -> Iterator[None]:
        """Do something, then all that is due because of it."""
        with override_settings(ENABLED_JOURNEYS=frozenset(self.journey_ids), EMAIL_BACKEND=LOCAL_MAIL):
            yield
            self._settle()

    def _settle(self) -> None:
        """Do all that is due now."""
        began = time.monotonic()
        while advance_due(limit=50) or self._deliver():
            pass
        self._worked += timedelta(seconds=time.monotonic() - began)

    def _deliver(self) -> int:
        # Asked first: a claim costs more, and most slices send nothing.
        return deliver_due(now=self.clock.now()) if fetch(QUEUED) else 0

    def _next_due(self) -> datetime | None:
        [(due,)] = fetch(NEXT_DUE, [list(self.journey_ids)])
        found: datetime | None = due
        return found


def world(moment: datetime | None = None) -> World:
    """Return the world of the present test, which begins at ``moment`` if it does not exist yet."""
    if _present and _present[0].clock.is_running:
        if moment is not None:
            _move_on(_present[0], moment)
    else:
        _present[:] = [World(moment or MONDAY)]
    return _present[0]


def _move_on(present: World, moment: datetime) -> None:
    if moment < present.clock.now():
        raise ValueError(f"It is {present.clock.now():%Y-%m-%d %H:%M} already in this test; time does not go back.")
    present.move_to(moment)
