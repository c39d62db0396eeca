"""One child process: what it is, how it is started, and how it is stopped."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hogsend.embedded.lifeline import tied_to_parent

LARGEST_LOG = 10 * 1024 * 1024
Steps = tuple[tuple[signal.Signals, float], ...]


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """What to start: ``stop_steps`` are signals with the seconds each may take, before the whole group is killed.

    ``log`` None means the terminal. ``death_signal`` is what the child gets when its parent dies; ``enter`` runs in the
    child before the program. Those with a lower ``stop_rank`` stop first.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    log: Path | None = None
    stop_steps: Steps = ((signal.SIGTERM, 3.0),)
    death_signal: signal.Signals = signal.SIGTERM
    enter: Callable[[], None] | None = None
    stop_rank: int = 0


class Child:
    """A started ``ProcessSpec``."""

    def __init__(self, spec: ProcessSpec, stdout: IO[bytes] | None = None) -> None:
        self.spec = spec
        self.started_at = time.monotonic()
        self._buried = False
        with contextlib.ExitStack() as files:
            log = files.enter_context(open_log(spec.log)) if spec.log else None
            self._process = subprocess.Popen(
                spec.command,
                env=dict(spec.environ),
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied_to_parent(spec.death_signal, spec.enter),  # noqa: PLW1509 - nothing here runs threads
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group and session."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended (negative: by that signal), or None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send one signal to the process itself."""
        self._process.send_signal(number)

    def kill_group(self) -> None:
        """Kill the process and whatever is left of its group, and collect it; only once, as numbers are reused."""
        if self._buried:
            return
        self._buried = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def stop_together(children: Iterable[Child], hurry: Callable[[], bool] = lambda: False) -> None:
    """Stop ``children`` side by side: every step of their specs in turn, then kill; ``hurry`` true kills at once."""
    everyone = list(children)
    for step in range(max((len(child.spec.stop_steps) for child in everyone), default=0)):
        due = [child for child in everyone if child.exit_code() is None and step < len(child.spec.stop_steps)]
        for child in due:
            child.send(child.spec.stop_steps[step][0])
        patience = max((child.spec.stop_steps[step][1] for child in due), default=0.0)
        _wait_for_end(due, time.monotonic() + patience, hurry)
    for child in everyone:
        child.kill_group()


def _wait_for_end(children: list[Child], deadline: float, hurry: Callable[[], bool]) -> None:
    while any(child.exit_code() is None for child in children):
        if hurry() or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def open_log(path: Path) -> IO[bytes]:
    """Open ``path`` for appending; what is larger than 10 MB moves aside to ``<name>.1`` first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def last_lines(path: Path | None, count: int = 15) -> str:
    """Return a sentence with the end of a log, for the terminal; empty without one."""
    try:
        content = path.read_bytes()[-8192:] if path else b""
    except OSError:
        content = b""
    lines = "\n".join(content.decode(errors="replace").splitlines()[-count:])
    return f"Its log ({path}) ends with:\n{lines}" if lines else ""
