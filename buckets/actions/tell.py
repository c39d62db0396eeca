"""Build the events that tell of transitions."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from buckets.definitions import Bucket
from buckets.models import Source
from buckets.rules import Schedule, Transition, dwell_key, event_key, event_name
from events.definitions import NewEvent
from events.routing import listeners_of


class Teller:
    """Tells of many transitions of one bucket that one source has noticed."""

    def __init__(self, bucket: Bucket, source: Source) -> None:
        self._bucket = bucket
        self._facts = {"bucketId": bucket.id, "bucketName": bucket.name, "source": source.value}

    def move(
        self, transition: str, who: tuple[UUID, str], entry: tuple[int, UUID | None], *, reason: str
    ) -> list[NewEvent]:
        """Tell of joining or leaving.

        Args:
            transition: Entered or left.
            who: The contact's own id and the one that the wire knows.
            entry: How often they had joined, and what names the stay if they were merged since.
            reason: Why they left.
        """
        entry_number, born_as = entry
        # By our own id: whoever comes back after a deletion begins to count anew under the same user id.
        key = event_key(transition, self._bucket.id, str(born_as or who[0]), entry_number)
        facts: dict[str, Any] = {"transition": transition, "entryCount": entry_number}
        if transition == Transition.LEFT:
            facts["reason"] = reason
        return self._events(event_name(transition, self._bucket.id), who, key, facts)

    def dwell(self, schedule: Schedule, who: tuple[UUID, str], entry: tuple[int, UUID], ordinal: int) -> list[NewEvent]:
        """Tell of a stay that has lasted, for the ``ordinal``-th time."""
        entry_number, born_as = entry
        label = schedule.label
        key = dwell_key(self._bucket.id, str(born_as), label, entry_number, ordinal)
        facts = {"transition": Transition.DWELL.value, "entryCount": entry_number, "dwellCount": ordinal}
        return self._events(event_name(Transition.DWELL, self._bucket.id, label), who, key, facts)

    def _events(self, name: str, who: tuple[UUID, str], key: str, facts: Mapping[str, Any]) -> list[NewEvent]:
        """Build the event and, where some journey begins with any transition of the kind, the general one."""
        contact_id, user_id = who
        properties = {**self._facts, "userId": user_id, **facts}
        events = [NewEvent(contact_id, name, properties, idempotency_key=key)]
        if (general := event_name(facts["transition"])) in self._generals:
            events.append(NewEvent(contact_id, general, dict(properties), idempotency_key=f"{key}:generic"))
        return events

    @cached_property
    def _generals(self) -> frozenset[str]:
        return frozenset(name for one in Transition if listeners_of(name := event_name(one)))
