"""How values look in JSON answers."""

from datetime import UTC, datetime


def wire_time(moment: datetime | None) -> str | None:
    """Return ``moment`` in UTC with milliseconds and ``Z`` (``2026-01-01T00:00:00.000Z``), or None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
