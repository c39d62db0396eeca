"""Requests to stop, noticed at chosen points only, so that no start or stop is torn in the middle."""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Self

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """Somebody asked the stack to stop."""


class Signals:
    """Counts Ctrl-C, SIGTERM and SIGHUP, and ends a ``pause`` early when one of them or a child's death arrives."""

    def __init__(self) -> None:
        self.requests = 0
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self._reader, False)

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers_before = {number: signal.signal(number, self._count) for number in _STOP}
        self._handlers_before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def pause(self, seconds: float) -> None:
        """Wait at most ``seconds``; raises Interrupted once anybody has asked to stop."""
        if not self.requests:
            self.rest(seconds)
        if self.requests:
            raise Interrupted

    def rest(self, seconds: float) -> None:
        """Wait at most ``seconds``, or until a signal arrives."""
        if select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 4096)

    def urgent(self) -> bool:
        """Say whether somebody asked twice."""
        return self.requests > 1

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.requests += 1
