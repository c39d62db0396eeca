"""Keep the leases of slices that last long, from a thread with a connection of its own."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from django.conf import settings
from django.db import Error, connection

from journeys.actions.lease import Lease, extend_lease

BEATS_PER_LEASE: Final = 3

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Pulse:
    """One slice in progress. ``lost`` turns true when its lease could not be kept."""

    lease: Lease
    next_beat: float
    lost: bool = False


class Heartbeat:
    """Extends the lease of every watched slice three times per lease; short slices never need it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._every = settings.HOGSEND_RUN_LEASE.total_seconds() / BEATS_PER_LEASE
        self._pulses: set[Pulse] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, lease: Lease) -> Iterator[Pulse]:
        """Keep ``lease`` for the length of the block."""
        pulse = Pulse(lease, time.monotonic() + self._every / 2)
        with self._changed:
            self._pulses.add(pulse)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="journeys-heartbeat", daemon=True)
                self._thread.start()
        try:
            yield pulse
        finally:
            with self._changed:
                self._pulses.discard(pulse)

    def _serve(self) -> None:
        # Looks at intervals, not at each change: slices are short and many, and none of them should pay.
        while True:
            with self._changed:
                self._changed.wait(self._every / 4)
                late = [pulse for pulse in self._pulses if pulse.next_beat <= time.monotonic() and not pulse.lost]
            for pulse in late:
                self._beat(pulse)
            if late:
                connection.close()

    def _beat(self, pulse: Pulse) -> None:
        lease = pulse.lease
        try:
            kept = extend_lease(run_id=lease.run_id, token=lease.token, length=settings.HOGSEND_RUN_LEASE)
        except Error as error:
            log.warning("journeys.heartbeat_failed", run_id=str(lease.run_id), error=str(error))
            kept = False
        pulse.lost = not kept
        pulse.next_beat = time.monotonic() + self._every


_lock = threading.Lock()
_current: list[Heartbeat] = []


def heartbeat() -> Heartbeat:
    """Return this process's heartbeat."""
    with _lock:
        if not _current or _current[0].pid != os.getpid():
            _current[:] = [Heartbeat()]
        return _current[0]
