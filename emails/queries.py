import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, QuerySet
from django.db.models.functions import Coalesce

from emails.models import EmailSend, SendStatus

# The provider took the message, whatever became of it then.
ACCEPTED = (SendStatus.SENT, SendStatus.DELIVERED, SendStatus.BOUNCED, SendStatus.COMPLAINED)
# What the function emails_hold tells of a row; reply_to and headers are JSON text.
WRITTEN = (
    *("id", "contact_id", "email_id", "category", "from_email", "to_email", "reply_to", "subject", "html", "text"),
    *("headers", "skip_preferences", "attempts", "provider_started_at"),
)
Written = tuple[UUID, UUID, str, str, str, str, str, str, str, str, str, bool, int, datetime | None]


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


def send_of(written: Written) -> EmailSend:
    """Return the row that the function emails_hold tells of, as far as it does."""
    values: list[Any] = list(written)
    for position in (WRITTEN.index("reply_to"), WRITTEN.index("headers")):
        values[position] = json.loads(values[position])
    return EmailSend.from_db(connection.alias, WRITTEN, values)


def sends_of(contact_id: UUID) -> QuerySet[EmailSend]:
    """Return all that was written to this person or decided not to be, oldest first."""
    return EmailSend.objects.filter(contact_id=contact_id).order_by("created_at", "id")
