"""Ring a task by its name after commit. A ring carries no work: losing one costs time, never work (docs/walk.md)."""

import os
import threading

import structlog
from celery import current_app
from django.db import transaction

PAUSE = 0.05  # seconds between two rings of one process: a burst of rings becomes two

log = structlog.get_logger(__name__)


def ring(task: str) -> None:
    """Wake whoever serves ``task`` once the present transaction has committed (now, if there is none).

    Rings of one process are coalesced, sent from a thread of their own and never fail or delay the caller:
    when the broker is away the beat schedule finds the same rows.
    """
    transaction.on_commit(lambda: _bell().press(task))


class Bell:
    """One process's bell: collects the names that were rung and sends each once per pause."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._pressed: set[str] = set()
        self._wake = threading.Condition()
        threading.Thread(target=self._serve, name="doorbell", daemon=True).start()

    def press(self, task: str) -> None:
        """Note that ``task`` shall run, and return at once."""
        with self._wake:
            self._pressed.add(task)
            self._wake.notify()

    def _serve(self) -> None:
        pause = threading.Event()
        while True:
            with self._wake:
                while not self._pressed:
                    self._wake.wait()
                tasks, self._pressed = self._pressed, set()
            for task in tasks:
                self._send(task)
            pause.wait(PAUSE)

    def _send(self, task: str) -> None:
        try:
            current_app.send_task(task, retry=False)
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the sweep will find the rows
            log.warning("doorbell.unheard", task=task, error=str(error))


_lock = threading.Lock()
_current: list[Bell] = []


def _bell() -> Bell:
    with _lock:
        if not _current or _current[0].pid != os.getpid():
            _current[:] = [Bell()]
        return _current[0]
