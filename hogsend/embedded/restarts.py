"""When a child that died is started again."""

from dataclasses import dataclass

FIRST_DELAY = 1.0
LONGEST_DELAY = 10.0
# Who lived this long starts with a clean slate.
STEADY_SECONDS = 30.0


@dataclass(frozen=True)
class Restart:
    """The decision after a death: how many deaths in a row this is and how long to wait."""

    deaths: int
    delay: float


def after_death(deaths_before: int, lived_seconds: float) -> Restart:
    """Double the wait with every quick death, up to ten seconds; a child that lived long counts as the first."""
    deaths = 1 if lived_seconds >= STEADY_SECONDS else deaths_before + 1
    return Restart(deaths, min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(deaths - 1, 8)))


def describe_exit(code: int) -> str:
    """Say how a process ended."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
