"""What people did."""

from uuid import UUID

from django.db.models import QuerySet

from events.models import Event


def events_of(contact_id: UUID) -> QuerySet[Event]:
    """Return one person's events, the latest first."""
    return Event.objects.filter(contact_id=contact_id).order_by("-occurred_at", "-seq")
