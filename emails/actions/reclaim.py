"""Settle the rows of workers that were lost."""

from datetime import datetime

from django.db.models import Q

from emails.models import EmailSend, SendStatus
from emails.providers import current_provider
from hogsend import doorbell

LOST = "The worker was lost while the provider was being called, so nobody knows whether the message arrived."


def reclaim_lost(*, now: datetime) -> int:
    """Settle claims that ran out: untried rows wait again, the others are unknown; return how many there were.

    A message that may have been handed over goes out again only while its provider recognises it as the same.
    """
    lost = EmailSend.objects.filter(status=SendStatus.SENDING, claimed_until__lt=now)
    safe = Q(provider_started_at=None)
    window = current_provider().idempotency_window
    if window is not None:
        safe |= Q(provider_started_at__gt=now - window)
    again = lost.filter(safe).update(
        status=SendStatus.QUEUED, claim_token=None, claimed_until=None, send_after=now, updated_at=now
    )
    # The token stays: should the worker be alive after all, its late answer is the truth.
    unknown = lost.exclude(safe).update(status=SendStatus.UNKNOWN, error=LOST, claimed_until=None, updated_at=now)
    if again:
        doorbell.ring("emails.deliver")
    return again + unknown
