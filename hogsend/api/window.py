"""A sliding minute: how much passed within the last 60 seconds, and when there is room for more."""

from collections import deque
from dataclasses import dataclass
from math import ceil

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something passes, what is left, and the seconds until there is room (0 when it passes)."""

    limit: int
    remaining: int
    wait: float = 0.0

    @property
    def retry_after(self) -> int:
        """Whole seconds to wait, never less than one; 0 when it passes."""
        return max(1, ceil(self.wait)) if self.wait else 0


class Window:
    """One sliding minute in memory. What came within the same second leaves together, with the last of it."""

    __slots__ = ("_slots", "_used")

    def __init__(self) -> None:
        self._slots: deque[tuple[int, int, float]] = deque()  # second, how much, when the last of it came
        self._used = 0

    def take(self, cost: int, *, limit: int, now: float) -> Verdict:
        """Let ``cost`` pass if it fits, else count nothing. A negative cost gives back what was taken last."""
        while self._slots and self._slots[0][2] <= now - SECONDS:
            self._used -= self._slots.popleft()[1]
        if self._used + cost > limit:
            return Verdict(limit, max(0, limit - self._used), self._wait(self._used + cost - limit, now))
        if cost < 0:
            self._give_back(-cost)
        else:
            self._add(cost, now)
        return Verdict(limit, limit - self._used)

    def _add(self, cost: int, now: float) -> None:
        second, count, _ = self._slots[-1] if self._slots else (None, 0, 0.0)
        if second == int(now):
            self._slots[-1] = (second, count + cost, now)
        else:
            self._slots.append((int(now), cost, now))
        self._used += cost

    def _give_back(self, cost: int) -> None:
        if self._slots:
            second, count, last = self._slots[-1]
            cost = min(cost, count)
            self._slots[-1] = (second, count - cost, last)
            self._used -= cost

    def _wait(self, missing: int, now: float) -> float:
        wait = SECONDS
        for _, count, last in self._slots:
            wait, missing = last + SECONDS - now, missing - count
            if missing <= 0:
                break
        return wait
