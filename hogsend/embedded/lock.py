"""One stack per state directory: a lock which the kernel gives back however its holder ends."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hogsend.embedded.errors import EmbeddedError

FILE_NAME = "lock"
# Programs that only look (`holder`) share the lock for an instant; an owner must not be turned away by them.
PATIENCE = 0.5


@dataclass(frozen=True)
class Holder:
    """Who holds a state directory: process id, what it runs, and its address if it has one."""

    pid: int
    command: str
    url: str = ""


def holder(state_dir: Path) -> Holder | None:
    """Say who holds ``state_dir`` at this moment; None when nobody does."""
    try:
        descriptor = os.open(state_dir / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(file.read())
        return None


@contextlib.contextmanager
def held(state_dir: Path, *, command: str, url: str = "") -> Iterator[None]:
    """Hold ``state_dir`` for the duration of the block; raises EmbeddedError naming the holder if it is taken."""
    descriptor = os.open(state_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        if not _acquire(file.fileno()):
            raise EmbeddedError(_refusal(state_dir, _read(file.read())))
        file.truncate(0)
        file.write(json.dumps(asdict(Holder(os.getpid(), command, url))))
        file.flush()
        yield


def _acquire(descriptor: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _read(text: str) -> Holder | None:
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _refusal(state_dir: Path, other: Holder | None) -> str:
    if other is None:
        return f"Another program holds {state_dir}. Wait until it ends, or choose another HOGSEND_STATE_DIR."
    where = f" at {other.url}" if other.url else ""
    return (
        f"`./run {other.command}` already runs here{where} (process {other.pid}, state in {state_dir}). "
        f"Stop it with Ctrl-C in its terminal or with `kill {other.pid}`."
    )
