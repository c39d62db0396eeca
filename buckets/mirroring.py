"""How long the mirror waits before it tells PostHog again."""

from datetime import timedelta

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)


def pause(attempts: int, *, asked: timedelta | None = None) -> timedelta:
    """A failed try waits a second, twice as long each time, and no less than PostHog asks for; five minutes at most."""
    doubled = FIRST_PAUSE * (1 << min(max(attempts - 1, 0), 10))
    return min(max(doubled, asked or doubled), LONGEST_PAUSE)
