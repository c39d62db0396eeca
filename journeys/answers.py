"""What a journey is given and what its ctx answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """The person a journey is about.

    Attributes:
        id: The key by which the wire names them.
        email: Their address when the run began, or an empty text. Mail always goes to the present one.
        properties: The texts, numbers and booleans of the event that started the run.
        contact_id: Our own id of the person.
        run_id: This run.
        journey_id: The journey's id.
        journey_name: The journey's name.
    """

    id: str
    email: str
    properties: Mapping[str, Any]
    contact_id: UUID
    run_id: UUID
    journey_id: str
    journey_name: str


@dataclass(frozen=True, slots=True)
class Slept:
    """A wait that is over."""

    slept_at: datetime
    resumed_at: datetime


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait for an event ended. True in an ``if`` when the event came.

    Attributes:
        properties: Those of the event that came; None if none did.
        occurred_at: When it happened.
    """

    timed_out: bool
    properties: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None

    def __bool__(self) -> bool:
        return not self.timed_out


@dataclass(frozen=True, slots=True)
class HasEvent:
    """Whether, and how often, a person did something. True in an ``if`` when they did."""

    found: bool
    count: int

    def __bool__(self) -> bool:
        return self.found


@dataclass(frozen=True, slots=True)
class JourneyHistory:
    """A person's past with a journey; entries count whatever became of them."""

    completed: bool
    last_completed_at: datetime | None
    entry_count: int


@dataclass(frozen=True, slots=True)
class EmailHistory:
    """What a person was sent of one e-mail; only what a provider accepted counts."""

    sent: bool
    last_sent_at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What was decided about a mail: ``queued``, or ``skipped`` with a reason."""

    send_id: str
    status: str
    reason: str
