"""Move the events of people who become one, and forget what names somebody who is erased."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from events.idempotency import forget_answers
from events.models import Event

MOVE = "update events_event set contact_id = %s where contact_id = %s returning id"
RETURN = "update events_event set contact_id = %s where contact_id = %s and id = any(%s)"


def move_events(*, source: UUID, target: UUID) -> list[UUID]:
    """Give all events of one person to another, and return which they were."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [target, source])
        return [event_id for (event_id,) in cursor.fetchall()]


def return_events(*, source: UUID, target: UUID, event_ids: Collection[UUID]) -> None:
    """Give those of ``event_ids`` that ``source`` still has to ``target``."""
    with connection.cursor() as cursor:
        cursor.execute(RETURN, [target, source, list(event_ids)])


def forget_keys_of(contact_ids: Collection[UUID]) -> None:
    """Delete the idempotency keys of these people's events: a key may hold a user id or an address."""
    forget_answers(Event.objects.filter(contact__in=contact_ids).values_list("id", "received_at"))
