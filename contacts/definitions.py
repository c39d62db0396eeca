"""The values by which other apps hear what happened to a person (contacts/following.py)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Change:
    """What was written about a person otherwise than by an event.

    Attributes:
        properties: The names of the properties that the write named, changed or not.
        lists: What the write said about lists, by list id; true is in.
        door: By which door it came, as a value of ``preferences.models.ConsentChange.Door``.
    """

    contact_id: UUID
    created: bool
    properties: frozenset[str] = frozenset()
    lists: Mapping[str, bool] = field(default_factory=dict)
    door: str = "api"


@dataclass(frozen=True, slots=True)
class Merge:
    """Two people who turn out to be one, or, when it is undone, are two again.

    Attributes:
        moved: What each app moved, under a name of the app's own; a follower writes it at the merge and is given it
            back when the merge is undone. JSON.
    """

    survivor_id: UUID
    absorbed_id: UUID
    now: datetime
    moved: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody who must be found nowhere any more: every id they lived under, and every key.

    Attributes:
        removed: How many rows a follower has removed by itself, by model, such as ``emails.EmailSend``.
    """

    contact_ids: tuple[UUID, ...]
    external_ids: tuple[str, ...]
    emails: tuple[str, ...]
    anonymous_ids: tuple[str, ...]
    now: datetime
    removed: Counter[str] = field(default_factory=Counter)
