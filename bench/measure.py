"""Fire requests at a server and say what came back and what it cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bench import processes, stage


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    work: str
    people: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    app_ms: float
    database_ms: float


@dataclass(frozen=True)
class Shot:
    """What is fired at which server: whole requests' bodies, or with GET their queries."""

    work: str
    people: int
    port: int
    key: str
    connections: int
    bodies: list[bytes]
    path: str = "/"
    weight: int = 1  # things done per request
    method: str = "POST"


@dataclass(frozen=True)
class Work:
    """One kind of request: ``make(people, wanted)`` returns about ``wanted`` bodies for so many known people."""

    name: str
    make: Callable[[int, int], list[bytes]]
    connections: int
    path: str
    weight: int = 1
    method: str = "POST"

    def shot(self, people: int, port: int, key: str, *, seconds: float) -> Shot:
        """Return as many requests as a fast server could answer in that time."""
        bodies = self.make(people, int(seconds * 6000))
        return Shot(self.name, people, port, key, self.connections, bodies, self.path, self.weight, self.method)


class Spenders(NamedTuple):
    """Whose processor time counts: the web server, and the database servers."""

    web: int
    database: list[int]

    def seconds(self) -> tuple[float, float]:
        """Return what both have used so far."""
        return processes.cpu_seconds(self.web), sum(processes.cpu_seconds(pid) for pid in self.database)


def measure(shot: Shot, seconds: float, spenders: Spenders) -> Row:
    """Fire for ``seconds`` and return the line. Raises RuntimeError for an answer that is no success."""
    before = spenders.seconds()
    got = stage.shoot(shot, seconds=seconds)
    after = spenders.seconds()
    if set(got["statuses"]) - {"202", "200"}:
        raise RuntimeError(f"{shot.work}: unexpected answers {got['statuses']}")
    done = got["requests"] * shot.weight
    app_ms, database_ms = ((late - early) * 1000 / done for early, late in zip(before, after, strict=True))
    rate = got["per_second"] * shot.weight
    return Row(shot.work, shot.people, shot.connections, rate, got["p50_ms"], got["p99_ms"], app_ms, database_ms)
