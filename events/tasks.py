from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from events.actions import forget_keys

SLICE = 5000


@shared_task(name="events.forget_keys")
def forget_expired_keys(*, limit: int = SLICE) -> int:
    """Delete idempotency keys older than HOGSEND_IDEMPOTENCY_DAYS, slice by slice, and return how many."""
    older_than, now, gone = timedelta(days=settings.HOGSEND_IDEMPOTENCY_DAYS), timezone.now(), 0
    while slice_ := forget_keys(older_than=older_than, now=now, limit=limit):
        gone += slice_
    return gone
