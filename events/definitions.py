"""The values that travel with an event on its walk (docs/walk.md)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that the engine itself causes for a known contact."""

    contact_id: UUID
    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event whose row has been written in the present transaction."""

    id: UUID
    contact_id: UUID
    name: str
    properties: dict[str, Any]
    occurred_at: datetime
    hop: int = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """A live run that an event had to consider: whether it left its journey."""

    journey_id: str
    run_id: UUID
    exited: bool


@dataclass
class Batch:
    """Events recorded together, and what the consumers made of them.

    At most one event of a batch per contact concerns journeys by name (see events.rules.waves), so a consumer may
    treat the batch as a set. Consumers run inside the recording transaction and hold the lock of every contact in it.
    """

    events: list[RecordedEvent]
    now: datetime
    exits: dict[UUID, list[Exit]] = field(default_factory=dict)
    caused: list[NewEvent] = field(default_factory=list)
