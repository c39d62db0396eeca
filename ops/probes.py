"""Ask the database, Redis and the workers whether they are there, never longer than a deadline."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ops.rules import Probe, Track

DEADLINE = 1.5  # seconds
HEARTBEAT_KEY = "hogsend:worker:heartbeat"
HEARTBEAT_TTL = 30  # seconds
TRACKS = ("engine", "client")

# Few threads: while all of them hang on a dead server, further probes time out in the queue instead of piling up.
_probing = ThreadPoolExecutor(max_workers=4, thread_name_prefix="probe")
_in_sync: dict[str, Track] = {}


def probe_database() -> Probe:
    """Ask the database for nothing, over a connection as a request would get it."""
    return _timed(_ask_database)


def probe_redis() -> Probe:
    """Ping Redis."""
    return _timed(lambda: _redis().ping())


def worker_seen_at() -> datetime | None:
    """Return when a worker last beat; None when that is over 30 seconds ago or Redis does not answer."""
    try:
        value = _redis().get(HEARTBEAT_KEY)
        return datetime.fromisoformat(value.decode()) if isinstance(value, bytes) else None
    except (redis.RedisError, OSError, ValueError):
        return None


def record_heartbeat(*, now: datetime) -> None:
    """Note that a worker is alive; the note expires by itself."""
    _redis().set(HEARTBEAT_KEY, now.isoformat(), ex=HEARTBEAT_TTL)


def migration_tracks() -> dict[str, Track]:
    """Return the tracks of the engine and of the adopter's apps; the database must be up.

    Cheap once in sync: what this code requires cannot grow while it runs.
    """
    if not _in_sync:
        tracks = _read_tracks()
        if not all(track.in_sync for track in tracks.values()):
            return tracks
        _in_sync.update(tracks)
    return dict(_in_sync)


def forget_tracks() -> None:
    """Read the migrations afresh at the next question (after migrating, and in tests)."""
    _in_sync.clear()


def _read_tracks() -> dict[str, Track]:
    loader = MigrationExecutor(connection).loader
    names: dict[str, list[tuple[str, bool]]] = {track: [] for track in TRACKS}
    for app, name in sorted(loader.disk_migrations):
        track = "client" if _is_content(app) else "engine"
        names[track].append((f"{app}.{name}", (app, name) in loader.applied_migrations))
    return {
        track: Track(required=len(found), pending=tuple(name for name, applied in found if not applied))
        for track, found in names.items()
    }


def _is_content(app_label: str) -> bool:
    position = settings.INSTALLED_APPS.index("ops")
    return app_label in {name.rpartition(".")[2] for name in settings.INSTALLED_APPS[position + 1 :]}


def _ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    finally:
        connection.close()


def _timed(ask: Callable[[], object]) -> Probe:
    started = time.monotonic()
    try:
        _probing.submit(ask).result(timeout=DEADLINE)
    except TimeoutError:
        return Probe(up=False, latency_ms=_since(started), error=f"no answer within {DEADLINE} seconds")
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the answer is: not reachable
        return Probe(up=False, latency_ms=_since(started), error=f"{type(error).__name__}: {error}".strip())
    return Probe(up=True, latency_ms=_since(started))


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=DEADLINE, socket_connect_timeout=DEADLINE)


def _redis() -> redis.Redis:
    return _client(settings.REDIS_URL)
