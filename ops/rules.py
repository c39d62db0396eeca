"""What the state of the parts says about the whole."""

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """The three verdicts of ``GET /v1/health`` (spec 1 §13)."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    MIGRATION_PENDING = "migration_pending"


@dataclass(frozen=True, slots=True)
class Probe:
    """One attempt to reach a part: whether it answered, how long that took, and what it said."""

    up: bool
    latency_ms: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One line of migrations: those the code requires, and which of them the database lacks."""

    required: int
    pending: tuple[str, ...] = ()

    @property
    def in_sync(self) -> bool:
        """A database that is ahead of the code is fine; one that is behind is not."""
        return not self.pending


def health(*, database: Probe, redis: Probe, tracks: list[Track]) -> Health:
    """A database that cannot be asked is degraded, not behind; workers never change the verdict."""
    if not database.up:
        return Health.DEGRADED
    if not all(track.in_sync for track in tracks):
        return Health.MIGRATION_PENDING
    return Health.HEALTHY if redis.up else Health.DEGRADED


def unready(*, database: Probe, redis: Probe, tracks: list[Track]) -> list[str]:
    """Say what must be done before this process can serve; nothing means it can."""
    reasons = []
    if not database.up:
        reasons.append("The database does not answer; check DATABASE_URL and that PostgreSQL runs.")
    pending = sum(len(track.pending) for track in tracks)
    if database.up and pending:
        noun = "migration has" if pending == 1 else "migrations have"
        reasons.append(f"{pending} {noun} not been applied; run `manage.py migrate`.")
    if not redis.up:
        reasons.append("Redis does not answer; check REDIS_URL and that Redis or Valkey runs.")
    return reasons
