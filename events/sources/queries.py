"""What webhooks left behind."""

from django.db.models import QuerySet

from events.models import DeadLetter, DeadLetterStatus


def dead_letters(*, status: str = DeadLetterStatus.OPEN, source_id: str | None = None) -> QuerySet[DeadLetter]:
    """Return the dead letters of a status, and of a source if one is named, the oldest first."""
    found = DeadLetter.objects.filter(status=status).order_by("id")
    return found if source_id is None else found.filter(source_id=source_id)
