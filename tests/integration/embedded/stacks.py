"""Supervisors in processes of their own, and how to wait for what they do."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hogsend.embedded import endpoints
from hogsend.embedded.components import MARK
from hogsend.embedded.lock import holder
from hogsend.embedded.orphans import processes_in, processes_marked

SMALL_STACK = Path(__file__).with_name("small_stack.py")
SET_BY_THE_TEST_RUN = ("DATABASE_URL", "REDIS_URL", "API_PUBLIC_URL", "HOGSEND_ENV", "HOGSEND_STATE_DIR")


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until ``condition`` holds; fail when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Say whether ``pid`` runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def unused_port() -> int:
    """Return a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as candidate:
        return candidate.getsockname()[1]


class StackProcess:
    """A supervisor in a process of its own, with small children in place of the product's."""

    def __init__(self, state_dir: Path, *scenario: str, **environ: str) -> None:
        self.state_dir = state_dir
        self.output = state_dir.with_name(f"{state_dir.name}.output")
        self.port = unused_port()
        for stale in state_dir.glob("*.pid"):
            stale.unlink()
        inherited = {name: value for name, value in os.environ.items() if name not in SET_BY_THE_TEST_RUN}
        mine = {
            "HOGSEND_STATE_DIR": str(state_dir),
            "HOGSEND_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(SMALL_STACK), *scenario],
                env={**inherited, **mine, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    def until_said(self, words: str) -> "StackProcess":
        """Wait for ``words`` in its output."""
        eventually(lambda: words in self.said() or self.process.poll() is not None, 20)
        assert words in self.said(), self.said()
        return self

    def until_ended(self, seconds: float = 10.0) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)

    def pid_of(self, name: str) -> int:
        """Return the pid a small child writes down when it starts."""
        file = self.state_dir / f"{name}.pid"
        eventually(lambda: file.exists() and file.read_text())
        return int(file.read_text())

    def left(self) -> list[int]:
        """Return everything that still runs because of it, the engines included."""
        engines = ((self.state_dir / "postgres" / "data", "postgres"), (self.state_dir / "valkey", "valkey-server"))
        found = [pid for directory, program in engines for pid in processes_in(directory, program)]
        return [pid for pid in (*found, *processes_marked(MARK, str(self.state_dir))) if alive(pid)]

    def is_gone(self) -> bool:
        """Say whether it left neither a process, nor a lock, nor addresses behind."""
        return not self.left() and holder(self.state_dir) is None and endpoints.current(self.state_dir) is None
