"""Finding and ending processes which a killed stack left behind, by where they work or whose mark they carry."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PROC = Path("/proc")
Steps = Sequence[tuple[signal.Signals, float]]


def processes_in(directory: Path, program: str) -> list[int]:
    """Return the processes of ``program`` whose working directory is ``directory``, as that of an engine's data is."""
    wanted = os.path.realpath(directory)
    return [pid for pid in _pids() if working_directory(pid) == wanted and _program(pid) == program]


def processes_marked(variable: str, value: str) -> list[int]:
    """Return the processes, this one excepted, which were started with ``variable=value`` in their environment."""
    wanted = os.fsencode(f"{variable}={value}")
    return [pid for pid in _pids() if pid != os.getpid() and wanted in _environment(pid)]


def working_directory(pid: int) -> str | None:
    """Return where ``pid`` works; None if there is no such process or we may not see it."""
    try:
        return str((_PROC / str(pid) / "cwd").readlink())
    except OSError:
        return None


def end(find: Callable[[], list[int]], steps: Steps) -> list[int]:
    """Send each step's signal to what ``find`` returns and wait that step's seconds; return who is still there."""
    for number, seconds in steps:
        for pid in find():
            _send(pid, number)
        deadline = time.monotonic() + seconds
        while find():
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return []
    return find()


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []


def _program(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return ""


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
