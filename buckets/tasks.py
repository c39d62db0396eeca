import time

import structlog
from celery import shared_task
from django.conf import settings

from buckets.actions import (
    NotVerifiableError,
    continue_backfill,
    count_days,
    follow,
    mirror_due,
    note_error,
    plan_backfills,
    unfinished,
    verify,
)
from buckets.definitions import Bucket, index
from hogsend.clock import database_now
from hogsend.doorbell import ring

log = structlog.get_logger(__name__)

LONGEST = 20.0  # seconds of one task; a backfill that needs more rings again


@shared_task(name="buckets.reconcile", ignore_result=True)
def reconcile_all() -> None:
    """Move people whom only time has moved: by all buckets, or by the fast ones where a cron line says when else."""
    _reconcile([bucket for bucket in _buckets() if bucket.fast_expiry or not settings.BUCKET_RECONCILE_CRON])


@shared_task(name="buckets.reconcile_rest", ignore_result=True)
def reconcile_rest() -> None:
    """Move people whom only time has moved by the buckets that are not followed all the time."""
    _reconcile([bucket for bucket in _buckets() if not bucket.fast_expiry])


def _buckets() -> list[Bucket]:
    return list(index().by_id.values())


def _reconcile(buckets: list[Bucket]) -> None:
    """Follow the clock for each; one with a fault holds up no other."""
    now = database_now()
    for bucket in buckets:
        try:
            _, done = follow(bucket, now=now)
        except Exception:
            log.exception("buckets.not_reconciled", bucket=bucket.id)
            continue
        if done.told:
            log.info("buckets.reconciled", bucket=bucket.id, judged=done.judged, told=done.told)


@shared_task(name="buckets.plan", ignore_result=True)
def plan() -> None:
    """Begin the backfills that a new version of the code needs; rung when workers start."""
    plan_backfills(now=database_now())


@shared_task(name="buckets.backfill", ignore_result=True)
def backfill() -> None:
    """Go on with every backfill for a while, and ring again while one is not done."""
    until = time.monotonic() + LONGEST
    for backfill_id in unfinished():
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
    for bucket in _buckets():
        try:
            verify(bucket)
        except NotVerifiableError as error:
            log.info("buckets.not_verified", bucket=bucket.id, why=str(error))
        except Exception:
            log.exception("buckets.not_verified", bucket=bucket.id)


@shared_task(name="buckets.count", ignore_result=True)
def count() -> None:
    """Count again what the running day has done to every bucket."""
    now = database_now()
    for bucket in _buckets():
        try:
            count_days(bucket, now=now)
        except Exception:
            log.exception("buckets.not_counted", bucket=bucket.id)


@shared_task(name="buckets.mirror", ignore_result=True)
def mirror() -> None:
    """Tell PostHog who is in which bucket, until nothing is due or something was refused."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        done = mirror_due(now=database_now())
        if done.failed or not done.sent:
            return
