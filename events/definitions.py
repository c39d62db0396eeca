"""The values that travel with an event on its walk (docs/walk.md)."""

from collections.abc import Mapping
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
    """An event whose row has been written in the present transaction.

    Attributes:
        lists: What the request said about lists, by list id; true is in.
        patched: The names of the contact's properties that the request wrote.
        is_first: Whether the contact was created for it.
    """

    id: UUID
    contact_id: UUID
    name: str
    properties: dict[str, Any]
    occurred_at: datetime
    hop: int = 0
    lists: Mapping[str, bool] = field(default_factory=dict)
    patched: frozenset[str] = frozenset()
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """A live run that an event had to consider: whether it left its journey."""

    journey_id: str
    run_id: UUID
    exited: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Something declared that an event starts.

    Attributes:
        kind: What it is, like ``journey``.
        owner: The bucket for whose reaction it was made.
    """

    kind: str
    id: str
    name: str
    owner: str | None = None


@dataclass
class Batch:
    """Events recorded together, and what the consumers made of them.

    At most one event of a batch per contact concerns journeys by name (see events.rules.waves), so a consumer may
    treat the batch as a set. Consumers run inside the recording transaction and hold the lock of every contact in it.
    ``lists_errors`` says by event id why its ``lists`` were not changed.
    """

    events: list[RecordedEvent]
    now: datetime
    exits: dict[UUID, list[Exit]] = field(default_factory=dict)
    lists_errors: dict[UUID, str] = field(default_factory=dict)
    caused: list[NewEvent] = field(default_factory=list)
