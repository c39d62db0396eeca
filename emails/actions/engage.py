"""Note on a message that somebody has read it. Who that was is for tracking to judge."""

from datetime import datetime
from uuid import UUID

from django.db.models import F

from emails.models import EmailSend, TrackedLink


def note_open(*, send_id: UUID, now: datetime) -> bool:
    """Note the first open; say whether this was it."""
    return bool(EmailSend.objects.filter(id=send_id, opened_at=None).update(opened_at=now, updated_at=now))


def note_click(*, send_id: UUID, now: datetime) -> bool:
    """Note the message's first click; say whether this was it."""
    return bool(EmailSend.objects.filter(id=send_id, clicked_at=None).update(clicked_at=now, updated_at=now))


def count_click(*, link_id: UUID) -> None:
    """Count one more hit on the link, whoever made it."""
    TrackedLink.objects.filter(id=link_id).update(click_count=F("click_count") + 1)
