"""From a free state directory to a running product, and back."""

import contextlib
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hogsend.embedded import endpoints, ports
from hogsend.embedded.components import MARK, Setup, manage, product_processes
from hogsend.embedded.engines import Engine, engines_for, erase_engines
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.lock import FILE_NAME as LOCK_FILE
from hogsend.embedded.lock import held
from hogsend.embedded.orphans import end, processes_marked
from hogsend.embedded.processes import Child, ProcessSpec, last_lines, stop_together
from hogsend.embedded.signals import Signals
from hogsend.embedded.sockets import private_directory
from hogsend.embedded.stack import Stack, say
from hogsend.embedded.tail import LogTail

BOOTSTRAP_SECONDS = 120.0


@dataclass(frozen=True)
class Program:
    """What a stack runs on top of its engines: ``bootstrap`` once, then ``processes`` for as long as it is up.

    The first process is the web server; the stack is ready when that answers.
    """

    bootstrap: Callable[[Stack, Setup], dict[str, Any]]
    processes: Callable[[Setup], list[ProcessSpec]]


@dataclass(frozen=True)
class Running:
    """A stack that is ready, and the facts its bootstrap found out."""

    stack: Stack
    setup: Setup
    facts: dict[str, Any]


@contextlib.contextmanager
def state_held(setup: Setup, command: str, *, wipe: bool = False) -> Iterator[None]:
    """Own the state directory for the block: private, locked, without survivors of a killed predecessor."""
    private_directory(setup.state_dir)
    with held(setup.state_dir, command=command, url=setup.url):
        endpoints.withdraw(setup.state_dir)
        end_survivors(setup.state_dir)
        if wipe:
            _wipe(setup.state_dir)
        try:
            yield
        finally:
            endpoints.withdraw(setup.state_dir)


@contextlib.contextmanager
def running(setup: Setup, program: Program, signals: Signals, *, verbose: bool = False) -> Iterator[Running]:
    """Start ``program`` on a held state directory; stop all of it at the end of the block, whatever ends it."""
    ports.require_free(setup.host, setup.port)
    engines = engines_for(setup.state_dir, setup.environ)
    setup = with_engines(setup, engines)
    specs = program.processes(setup)
    logs = {spec.name: spec.log for spec in specs if spec.log} | {engine.name: engine.log for engine in engines}
    stack = Stack(engines, signals, LogTail(logs) if verbose else None)
    try:
        stack.start_engines()
        publish(setup)
        facts = program.bootstrap(stack, setup)
        # The web server first and alone: all at once they would compete for the processor, and nobody is ready soon.
        stack.start_processes(specs[:1], ready=lambda: ports.answers(setup.host, setup.port))
        stack.start_processes(specs[1:])
        yield Running(stack, setup, facts)
    finally:
        _stop(stack)


def with_engines(setup: Setup, engines: list[Engine]) -> Setup:
    """Return ``setup`` with the addresses of ``engines`` in the children's environment."""
    return replace(setup, environ={**setup.environ, **{engine.variable: engine.url for engine in engines}})


def publish(setup: Setup) -> None:
    """Let `./run manage` and settings find the engines while the state directory is held."""
    endpoints.publish(setup.state_dir, {name: setup.environ[name] for name in ("DATABASE_URL", "REDIS_URL")})


def bootstrap(stack: Stack, setup: Setup) -> dict[str, Any]:
    """Run ``manage.py bootstrap`` and return its JSON; raises EmbeddedError with what it said when it fails."""
    log = setup.state_dir / "logs" / "bootstrap.log"
    spec = manage(setup, "bootstrap", "bootstrap", "--state-file", str(setup.state_dir / "dev.json"), log=log)
    log.unlink(missing_ok=True)
    with tempfile.TemporaryFile() as output:
        child = Child(spec, stdout=output)
        try:
            deadline = time.monotonic() + BOOTSTRAP_SECONDS
            while child.exit_code() is None and time.monotonic() < deadline:
                stack.pause(0.1)
        finally:
            code = child.exit_code()
            stop_together([child], stack.signals.urgent)
        output.seek(0)
        return _facts(code, output.read().decode(errors="replace"), log)


PRODUCT = Program(bootstrap, product_processes)


def _facts(code: int | None, output: str, log: Path) -> dict[str, Any]:
    if code != 0:
        raise EmbeddedError(f"The database could not be prepared. `manage.py bootstrap` failed. {last_lines(log)}")
    try:
        facts: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise EmbeddedError(
            f"`manage.py bootstrap` printed something else than one JSON document:\n{output}"
        ) from error
    return facts


def end_survivors(state_dir: Path) -> None:
    """Wait for the children of a killed supervisor, which are already stopping; after some seconds kill them."""
    steps = ((signal.SIGTERM, 4.0), (signal.SIGKILL, 2.0))
    if left := end(lambda: processes_marked(MARK, str(state_dir)), steps):
        raise EmbeddedError(f"Process {left[0]} of an earlier run on {state_dir} does not end; end it and try again.")


def _wipe(state_dir: Path) -> None:
    erase_engines(state_dir)
    for entry in state_dir.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK_FILE:
            entry.unlink()


def _stop(stack: Stack) -> None:
    started = time.monotonic()
    say("Stopping …")
    stack.stop()
    say(f"Stopped in {time.monotonic() - started:.1f} s.")
