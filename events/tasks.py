from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from events.actions import forget_keys
from events.sources.actions import forget_dead_letters
from hogsend.clock import database_now

SLICE = 5000
DEAD_LETTERS_STAY = timedelta(days=30)  # once they are settled; open ones stay until somebody decides


@shared_task(name="events.forget_keys")
def forget_expired_keys(*, limit: int = SLICE) -> int:
    """Delete idempotency keys older than HOGSEND_IDEMPOTENCY_DAYS, slice by slice, and return how many."""
    older_than, now, gone = timedelta(days=settings.HOGSEND_IDEMPOTENCY_DAYS), timezone.now(), 0
    while slice_ := forget_keys(older_than=older_than, now=now, limit=limit):
        gone += slice_
    return gone


@shared_task(name="events.forget_dead_letters")
def forget_settled_dead_letters(*, limit: int = SLICE) -> int:
    """Delete dead letters that were settled a month ago, slice by slice, and return how many."""
    now, gone = database_now(), 0
    while slice_ := forget_dead_letters(older_than=DEAD_LETTERS_STAY, now=now, limit=limit):
        gone += slice_
    return gone
