"""Engines and processes kept running together: started in order, restarted when they die, stopped in order."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from hogsend.embedded.engines import Engine
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.processes import Child, ProcessSpec, last_lines, stop_together
from hogsend.embedded.restarts import after_death, describe_exit
from hogsend.embedded.signals import Signals
from hogsend.embedded.tail import LogTail

READY_SECONDS = 60.0
LOOK_SECONDS = 0.2


def say(sentence: str) -> None:
    """Print one line at once; a terminal that has gone must not keep the stack from stopping."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


@dataclass
class Service:
    """One member of the stack and its history of deaths."""

    name: str
    log: Path | None
    start: Callable[[], Child]
    child: Child
    deaths: int = 0
    restart_at: float | None = None


class Stack:
    """What runs together: ``engines`` first, then processes from ``ProcessSpec`` data."""

    def __init__(self, engines: Sequence[Engine], signals: Signals, tail: LogTail | None = None) -> None:
        self.engines = engines
        self.signals = signals
        self.tail = tail
        self._engine_services: list[Service] = []
        self._process_services: list[tuple[ProcessSpec, Service]] = []

    def start_engines(self) -> None:
        """Start all engines side by side and return when each of them answers."""
        for engine in self.engines:
            self.signals.pause(0)
            engine.begin()
            self._engine_services.append(_engine_service(engine, self._restart_engine))
        for engine in self.engines:
            engine.wait_ready(self.pause)

    def start_processes(self, specs: Sequence[ProcessSpec], ready: Callable[[], bool] = lambda: True) -> None:
        """Start ``specs`` and return when ``ready``; raises EmbeddedError if one dies or it takes too long."""
        for spec in specs:
            self.signals.pause(0)
            service = Service(spec.name, spec.log, partial(Child, spec), Child(spec))
            self._process_services.append((spec, service))
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            for _, service in self._process_services:
                if service.child.exit_code() is not None or time.monotonic() > deadline:
                    raise EmbeddedError(_failed_start(service))
            self.pause(0.05)

    def run(self, spec: ProcessSpec) -> int:
        """Run one command to its end while looking after the rest; its exit code."""
        child = Child(spec)
        try:
            while (code := child.exit_code()) is None:
                self.look_after()
                self.pause(0.1)
            return code
        finally:
            stop_together([child], self.signals.urgent)

    def watch(self) -> None:
        """Look after everything until somebody asks to stop, which raises Interrupted."""
        while True:
            self.look_after()
            self.pause(LOOK_SECONDS)

    def look_after(self) -> None:
        """Notice deaths and start again what is due, engines first."""
        for service in (*self._engine_services, *(service for _, service in self._process_services)):
            if service.restart_at is not None:
                if time.monotonic() >= service.restart_at:
                    self._restart(service)
            elif (code := service.child.exit_code()) is not None:
                _mourn(service, describe_exit(code))

    def pause(self, seconds: float) -> None:
        """Show new log lines, then wait; raises Interrupted once somebody has asked to stop."""
        if self.tail is not None:
            self.tail.show()
        self.signals.pause(seconds)

    def stop(self) -> None:
        """Stop the processes by rank, then the engines in the reverse order of their start; a second request kills."""
        by_rank = sorted(self._process_services, key=lambda pair: pair[0].stop_rank)
        for _, group in groupby(by_rank, key=lambda pair: pair[0].stop_rank):
            stop_together([service.child for _, service in group], self.signals.urgent)
        for engine in reversed(self.engines):
            if engine.child is not None:
                stop_together([engine.child], self.signals.urgent)
        if self.tail is not None:
            self.tail.show()

    def _restart(self, service: Service) -> None:
        service.restart_at = None
        try:
            service.child = service.start()
        except EmbeddedError as error:
            _mourn(service, str(error))
        else:
            say(f"{service.name} runs again.")

    def _restart_engine(self, engine: Engine) -> Child:
        engine.begin()
        child = _child_of(engine)
        try:
            engine.wait_ready(self.pause)
        except EmbeddedError:
            child.kill_group()
            raise
        return child


def _engine_service(engine: Engine, restart: Callable[[Engine], Child]) -> Service:
    return Service(engine.name, engine.log, lambda: restart(engine), _child_of(engine))


def _child_of(engine: Engine) -> Child:
    if engine.child is None:
        raise EmbeddedError(f"{engine.name} was not started.")
    return engine.child


def _mourn(service: Service, cause: str) -> None:
    service.child.kill_group()
    restart = after_death(service.deaths, time.monotonic() - service.child.started_at)
    service.deaths = restart.deaths
    service.restart_at = time.monotonic() + restart.delay
    where = f" Its log is {service.log}." if service.log else ""
    say(f"{service.name} died ({cause}); it is started again in {restart.delay:g} s.{where}")


def _failed_start(service: Service) -> str:
    code = service.child.exit_code()
    how = "did not become ready in time" if code is None else f"ended at once ({describe_exit(code)})"
    return f"{service.name} {how}. {last_lines(service.log)}"
