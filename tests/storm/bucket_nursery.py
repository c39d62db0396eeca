"""A process that raises workers of a bucket and kills each at some moment, until one finds nothing left to do.

Usage: bucket_nursery.py clock|backfill|dwell SEED. Reads DATABASE_URL; prints how many were killed.
"""

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from buckets.actions import backfill, clock, continue_backfill, reconcile, unfinished  # noqa: E402
from buckets.definitions import Bucket, registry  # noqa: E402
from hogsend import doorbell  # noqa: E402
from hogsend.authoring import days, event  # noqa: E402

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
LONGEST_LIFE = 0.4  # seconds; a worker needs some of it to connect


def declare() -> Bucket:
    """Declare the bucket of those who have stopped, told of when they have been away for another day."""
    bucket = Bucket("b", name="B", criteria=event("active").exists() & event("active").within(WEEK).never())
    bucket.on("dwell", lambda user, ctx: None, after=days(1))
    return bucket


def work(kind: str) -> None:
    """Do all there is to do in slices so small that death comes in the middle."""
    bucket = registry.get("b")
    if kind == "backfill":
        for backfill_id in unfinished():
            while continue_backfill(backfill_id, now=NOW):
                pass
    else:
        reconcile(bucket, now=NOW + (days(1) if kind == "dwell" else days(0)))


def raise_one(kind: str) -> int:
    """Return the process id of a worker."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        work(kind)
        os._exit(0)
    return child


def main() -> None:
    kind, rnd, killed = sys.argv[1], random.Random(int(sys.argv[2])), 0
    registry._items.clear()
    registry._frozen = False
    declare()
    doorbell._bell = lambda: SimpleNamespace(press=lambda _: None)  # a thread does not survive a fork
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)  # nor do the pool's
    clock.SLICE = backfill.SLICE = 20
    while True:
        child = raise_one(kind)
        time.sleep(rnd.uniform(0.02, LONGEST_LIFE))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            break
        killed += 1
    sys.stdout.write(f"{killed} {os.WEXITSTATUS(status)}\n")


if __name__ == "__main__":
    main()
