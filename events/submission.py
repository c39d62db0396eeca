"""An event as it was sent, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.rules import Keys
from events.definitions import Exit


@dataclass(frozen=True, slots=True)
class Submission:
    """An event that was decoded and found good. It has its id before it is stored: a second try is the same event."""

    id: UUID
    name: str
    keys: Keys
    properties: dict[str, Any] = field(default_factory=dict)
    properties_json: str = "{}"
    patch: dict[str, Any] | None = None
    lists: dict[str, bool] | None = None
    occurred_at: datetime | None = None
    tenant: str = "main"
    idempotency_key: str | None = None
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a submission.

    ``reason`` says why it was not stored when that may surprise, ``lists_error`` why its lists were not changed.
    """

    stored: bool
    contact_id: UUID | None
    exits: tuple[Exit, ...] = ()
    reason: str | None = None
    lists_error: str | None = None
