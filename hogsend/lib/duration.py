"""Durations as adopters write them. All are exact lengths of time; there are no calendar days (spec C.1)."""

from datetime import timedelta


def days(count: float) -> timedelta:
    """Return ``count`` times 24 hours."""
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    """Return ``count`` hours."""
    return timedelta(hours=count)


def minutes(count: float) -> timedelta:
    """Return ``count`` minutes."""
    return timedelta(minutes=count)


def seconds(count: float) -> timedelta:
    """Return ``count`` seconds."""
    return timedelta(seconds=count)
