"""What operators read across the engine."""

from dataclasses import dataclass
from datetime import datetime

from ops import probes, rules
from ops.rules import Health, Probe, Track

_UNKNOWN = dict.fromkeys(probes.TRACKS, Track(required=0))


@dataclass(frozen=True, slots=True)
class Condition:
    """What every part of the stack said just now."""

    database: Probe
    redis: Probe
    worker_seen_at: datetime | None
    tracks: dict[str, Track]

    @property
    def health(self) -> Health:
        """The verdict over all parts."""
        return rules.health(database=self.database, redis=self.redis, tracks=list(self.tracks.values()))

    @property
    def unready(self) -> list[str]:
        """What must be done before this process can serve."""
        return rules.unready(database=self.database, redis=self.redis, tracks=list(self.tracks.values()))


def condition() -> Condition:
    """Ask every part once; a part that is down never makes this fail or take longer than its deadline."""
    database, redis = probes.probe_database(), probes.probe_redis()
    return Condition(
        database=database,
        redis=redis,
        worker_seen_at=probes.worker_seen_at() if redis.up else None,
        tracks=probes.migration_tracks() if database.up else _UNKNOWN,
    )
