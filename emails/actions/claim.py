"""Take rows that are due so that nobody else does, and give back those that were not tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from emails.models import EmailSend, SendStatus
from emails.outcome import Outcome
from emails.rules import FIRST_BACKOFF


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row one deliverer took."""

    send_id: UUID
    contact_id: UUID
    token: UUID

    def row(self) -> QuerySet[EmailSend]:
        """Return the row as long as the claim holds. A lost answer that arrives late still counts."""
        held = [SendStatus.SENDING, SendStatus.UNKNOWN]
        return EmailSend.objects.filter(id=self.send_id, claim_token=self.token, status__in=held)


def claim_due(*, now: datetime, limit: int) -> list[Claimed]:
    """Claim up to ``limit`` rows that are due, longest waiting first; two callers never get the same row."""
    token = uuid4()
    with transaction.atomic():
        due = EmailSend.objects.filter(status=SendStatus.QUEUED, send_after__lte=now).order_by("send_after")
        rows = list(due.select_for_update(skip_locked=True).values_list("id", "contact_id")[:limit])
        EmailSend.objects.filter(id__in=[send_id for send_id, _ in rows]).update(
            status=SendStatus.SENDING,
            claim_token=token,
            claimed_until=now + settings.HOGSEND_MAIL_LEASE,
            attempts=F("attempts") + 1,
            updated_at=now,
        )
    return [Claimed(send_id, contact_id, token) for send_id, contact_id in rows]


def release(untried: Sequence[Claimed], outcome: Outcome, *, now: datetime) -> None:
    """Put rows back that the trouble of another kept from being tried; it does not count as a try of theirs."""
    if not untried:
        return
    EmailSend.objects.filter(
        id__in=[claimed.send_id for claimed in untried], claim_token=untried[0].token, status=SendStatus.SENDING
    ).update(
        status=SendStatus.QUEUED,
        send_after=now + max(outcome.wait or FIRST_BACKOFF, FIRST_BACKOFF),
        attempts=F("attempts") - 1,
        claim_token=None,
        claimed_until=None,
        updated_at=now,
    )
