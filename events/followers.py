"""What happens to the rows of this app when something happens to a person (contacts/following.py)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.definitions import Erasure, Merge
from events.actions import emit_events, forget_keys_of, move_events, return_events
from events.definitions import NewEvent
from events.queries import events_of
from events.sources.actions import erase_from_dead_letters
from hogsend.lib.wire import wire_time

APP = "events"


def contacts_merged(merge: Merge) -> None:
    """The survivor did what the absorbed did."""
    moved = move_events(source=merge.absorbed_id, target=merge.survivor_id)
    merge.moved[APP] = [str(event_id) for event_id in moved]


def merge_undone(merge: Merge) -> None:
    """The absorbed gets back what they did before the merge."""
    moved = [UUID(event_id) for event_id in merge.moved[APP]]
    return_events(source=merge.survivor_id, target=merge.absorbed_id, event_ids=moved)


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """That somebody goes is the last thing that happens to them."""
    emit_events([NewEvent(contact_id, "contact.deleted") for contact_id in contact_ids], now=now)


def contacts_erased(erasure: Erasure) -> None:
    """A key that guarded somebody's event may name them, and so may a delivery that was never translated."""
    forget_keys_of(erasure.contact_ids)
    erase_from_dead_letters(emails=erasure.emails, ids=[*erasure.external_ids, *erasure.anonymous_ids])


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """All that somebody did."""
    return {
        APP: [
            {
                "id": str(event.id),
                "name": event.name,
                "properties": event.properties,
                "occurredAt": wire_time(event.occurred_at),
                "receivedAt": wire_time(event.received_at),
            }
            for event in events_of(contact_id)
        ]
    }
