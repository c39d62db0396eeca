from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, QuerySet
from django.db.models.functions import Coalesce

from emails.models import EmailSend, SendStatus

# The provider took the message, whatever became of it then.
ACCEPTED = (SendStatus.SENT, SendStatus.DELIVERED, SendStatus.BOUNCED, SendStatus.COMPLAINED)


def email_history(contact_id: UUID, email_id: str) -> tuple[int, datetime | None]:
    """Return how often the provider accepted ``email_id`` for this person, and when last.

    What was skipped, refused or lost on the way does not count.
    """
    found = EmailSend.objects.filter(contact_id=contact_id, email_id=email_id, status__in=ACCEPTED).aggregate(
        count=Count("id"), last=Max(Coalesce("sent_at", "delivered_at", "created_at"))
    )
    return found["count"], found["last"]


def sent_count(*, contact_id: UUID, since: datetime, category: str | None = None) -> int:
    """Return how many messages the provider accepted for this person since then, of one category or of all."""
    sends = EmailSend.objects.filter(contact_id=contact_id, status__in=ACCEPTED, created_at__gte=since)
    return (sends if category is None else sends.filter(category=category)).count()


def last_of_origin(*, contact_id: UUID, origin: str, origin_id: str, without: str) -> datetime | None:
    """Return when this person was last written to on somebody's behalf, not counting the category ``without``.

    What was skipped does not count; what is still on its way counts from when it was decided.
    """
    sends = EmailSend.objects.filter(contact_id=contact_id, origin=origin, origin_id=origin_id)
    counted = sends.exclude(status=SendStatus.SKIPPED).exclude(category=without)
    found: datetime | None = counted.aggregate(last=Max(Coalesce("sent_at", "created_at")))["last"]
    return found


def sends_of(contact_id: UUID) -> QuerySet[EmailSend]:
    """Return all that was written to this person or decided not to be, oldest first."""
    return EmailSend.objects.filter(contact_id=contact_id).order_by("created_at", "id")
