import structlog
from celery import shared_task

from buckets.actions import reconcile
from buckets.definitions import index
from hogsend.clock import database_now

log = structlog.get_logger(__name__)


@shared_task(name="buckets.reconcile", ignore_result=True)
def reconcile_all() -> None:
    """Move people whom only time has moved; a bucket with a fault holds up no other."""
    now = database_now()
    for bucket in index().by_id.values():
        if not bucket.enabled:
            continue
        try:
            done = reconcile(bucket, now=now)
        except Exception:
            log.exception("buckets.not_reconciled", bucket=bucket.id)
            continue
        if done.told:
            log.info("buckets.reconciled", bucket=bucket.id, judged=done.judged, told=done.told)
