"""How the state of the engine looks on the wire."""

from datetime import datetime
from typing import Any

from hogsend.lib.wire import wire_time
from ops.queries import Condition
from ops.rules import Probe, Track

WIRE_VERSION = "0.0.1"  # of the contract, not of this package


def health_document(condition: Condition, *, uptime: float, now: datetime, names: bool) -> dict[str, Any]:
    """Answer ``GET /v1/health``. Names of migrations are for staff; everybody else gets their number."""
    seen_at = condition.worker_seen_at
    worker = {"status": "up", "lastSeenAt": wire_time(seen_at)} if seen_at else {"status": "down"}
    return {
        "status": condition.health.value,
        "uptime": uptime,
        "timestamp": wire_time(now),
        "version": WIRE_VERSION,
        "components": {"database": _part(condition.database), "redis": _part(condition.redis), "worker": worker},
        "schema": {
            name: _track(track, known=condition.database.up, names=names) for name, track in condition.tracks.items()
        },
    }


def _part(probe: Probe) -> dict[str, Any]:
    return {"status": "up" if probe.up else "down", "latencyMs": probe.latency_ms}


def _track(track: Track, *, known: bool, names: bool) -> dict[str, Any]:
    if not known:
        return {"applied": None, "required": None, "inSync": False, "pending": []}
    if not track.required:
        return {"applied": None, "required": None, "inSync": True, "pending": []}
    return {
        "applied": str(track.required - len(track.pending)),
        "required": str(track.required),
        "inSync": track.in_sync,
        "pending": list(track.pending) if names else [],
    }
