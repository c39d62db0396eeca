"""Rate limits: shared by all processes through Redis, local to each while Redis is away.

A busy process takes places ahead, at most a hundredth of the limit and a quarter second of its own traffic, so that
most requests ask nobody. They count from the moment they are taken, and are lost if they are not used within a second.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import redis
import structlog

from hogsend.api.shared_window import Grant, SharedWindow
from hogsend.api.window import Verdict, Window

AHEAD_SECONDS = 0.25
LEAST_ELAPSED = 0.05  # two requests in a row are no traffic yet
LEASE_SECONDS = 1.0
SHARE = 100  # a lease is at most this part of the limit
RETRY_SECONDS = 3.0  # between two questions to a Redis that is away
MOST_BUCKETS = 10_000
AWAY = (redis.RedisError, OSError, ValueError)

log = structlog.get_logger(__name__)


class Bucket:
    """What one process knows of one limit: places taken ahead, and its own minute for bad times."""

    __slots__ = ("asked_at", "full", "left", "lock", "name", "room", "used", "window")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.window = Window()
        self.left = self.room = self.used = 0
        self.asked_at = float("-inf")
        self.full: tuple[int, int, float] | None = None  # this much did not fit into this limit until then

    def answer(self, cost: int, limit: int, now: float) -> Verdict | None:
        """Return the verdict if Redis need not be asked: a place was taken ahead, or all are known to be full."""
        if 0 < cost <= self.left and now < self.asked_at + LEASE_SECONDS:
            self.left -= cost
            self.used += cost
            return Verdict(limit, self.room + self.left)
        if self.full and cost >= self.full[0] and limit == self.full[1] and now < self.full[2]:
            return Verdict(limit, self.room, self.full[2] - now)
        return None

    def learn(self, grant: Grant, cost: int, limit: int, now: float) -> None:
        """Note what Redis said."""
        self.full = (cost, limit, now + grant.wait) if grant.wait else None
        self.room = grant.room
        if grant.granted:
            self.asked_at, self.used, self.left = now, cost, grant.granted - cost
        elif now >= self.asked_at + LEASE_SECONDS:
            self.left = 0


class Limiter:
    """All limits of one process."""

    def __init__(self, shared: SharedWindow, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.fallbacks = 0  # how often Redis was found to be away
        self.decided_alone = 0  # how many decisions were made without it
        self._shared, self._clock = shared, clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()
        self._ask_again_at = 0.0
        self._away = False

    def take(self, name: str, *, limit: int, cost: int = 1) -> Verdict:
        """Let ``cost`` pass within the limit a minute, or count nothing. A negative cost gives back."""
        bucket = self._buckets.get(name) or self._new(name)
        with bucket.lock:
            now = self._clock()
            if known := bucket.answer(cost, limit, now):
                return known
            if self._may_ask(now):
                try:
                    return self._ask(bucket, limit, cost, now)
                except AWAY as error:
                    self._lose(error)
            self.decided_alone += 1
            return bucket.window.take(cost, limit=limit, now=now)

    def _ask(self, bucket: Bucket, limit: int, cost: int, now: float) -> Verdict:
        elapsed = max(now - bucket.asked_at, LEAST_ELAPSED)
        ahead = min(int((bucket.used + cost) / elapsed * AHEAD_SECONDS), limit // SHARE)
        grant = self._shared.take(bucket.name, limit=limit, cost=cost, more=max(0, ahead))
        self._find_again()
        bucket.learn(grant, cost, limit, now)
        return Verdict(limit, grant.room + bucket.left, grant.wait)

    def _new(self, name: str) -> Bucket:
        with self._lock:
            bucket = self._buckets.setdefault(name, Bucket(name))
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return bucket

    def _may_ask(self, now: float) -> bool:
        """Say whether Redis is to be asked; while it is away one request asks every few seconds."""
        if not self._away:
            return True
        with self._lock:
            if now < self._ask_again_at:
                return False
            self._ask_again_at = now + RETRY_SECONDS
            return True

    def _lose(self, error: Exception) -> None:
        with self._lock:
            self._ask_again_at = self._clock() + RETRY_SECONDS
            if self._away:
                return
            self._away = True
            self.fallbacks += 1
        log.warning("rate_limit.local", error=f"{type(error).__name__}: {error}", fallbacks=self.fallbacks)

    def _find_again(self) -> None:
        if not self._away:
            return
        with self._lock:
            found, self._away = self._away, False
        if found:
            log.info("rate_limit.shared_again", decided_alone=self.decided_alone)
