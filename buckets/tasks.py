import time

import structlog
from celery import shared_task

from buckets.actions import (
    NotVerifiableError,
    continue_backfill,
    follow,
    note_error,
    plan_backfills,
    unfinished,
    verify,
)
from buckets.definitions import index
from hogsend.clock import database_now
from hogsend.doorbell import ring

log = structlog.get_logger(__name__)

LONGEST = 20.0  # seconds of one task; a backfill that needs more rings again


@shared_task(name="buckets.reconcile", ignore_result=True)
def reconcile_all() -> None:
    """Move people whom only time has moved; a bucket with a fault holds up no other."""
    now = database_now()
    for bucket in index().by_id.values():
        try:
            _, done = follow(bucket, now=now)
        except Exception:
            log.exception("buckets.not_reconciled", bucket=bucket.id)
            continue
        if done.told:
            log.info("buckets.reconciled", bucket=bucket.id, judged=done.judged, told=done.told)
    unfinished(now=now)


@shared_task(name="buckets.plan", ignore_result=True)
def plan() -> None:
    """Begin the backfills that a new version of the code needs; rung when workers start."""
    plan_backfills(now=database_now())


@shared_task(name="buckets.backfill", ignore_result=True)
def backfill() -> None:
    """Go on with every backfill for a while, and ring again while one is not done."""
    until = time.monotonic() + LONGEST
    for backfill_id in unfinished(now=database_now()):
        try:
            while continue_backfill(backfill_id, now=database_now()):
                if time.monotonic() > until:
                    ring("buckets.backfill")
                    return
        except Exception as error:
            log.exception("buckets.backfill_stuck", backfill=str(backfill_id))
            note_error(backfill_id, error)


@shared_task(name="buckets.verify", ignore_result=True)
def verify_all() -> None:
    """Compare every bucket with a full recompute, put right what is astray, and keep the report."""
    for bucket in index().by_id.values():
        try:
            verify(bucket)
        except NotVerifiableError as error:
            log.info("buckets.not_verified", bucket=bucket.id, why=str(error))
        except Exception:
            log.exception("buckets.not_verified", bucket=bucket.id)
