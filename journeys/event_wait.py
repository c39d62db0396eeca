"""What a run waits for that waits for an event, and whether it came."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from conditions.property import PropertyCondition
from journeys.actions.lease import RecordedStep
from journeys.rules import MAX_RESULT_BYTES, scalars
from journeys.statements import fetch, fetch_one

# Within one person events arrive in the order of their numbers, for they are recorded under the lock of the person.
LATEST = "select coalesce(pg_sequence_last_value('events_event_seq'), 0)"
# Conditions are written for a row called c.
FIRST = """
    select c.properties, c.occurred_at from events_event c
    where c.contact_id = %s and c.name = %s and c.received_at <= %s
        and (c.seq > %s or c.occurred_at >= %s){where}
    order by c.seq limit 1
"""


@dataclass(frozen=True, slots=True)
class EventWait:
    """A wait as its author wrote it: for which event, how long, and from how long ago on it counts."""

    event: str
    where: tuple[PropertyCondition, ...]
    timeout: timedelta
    lookback: timedelta | None

    def arm(self, now: datetime) -> "Armed":
        """Begin the wait: what has arrived by now does not count, but for the lookback. The person's lock is held."""
        [(latest,)] = fetch(LATEST)
        since = None if self.lookback is None else now - self.lookback
        return Armed(self, now + self.timeout, latest, since)

    def armed_again(self, recorded: RecordedStep) -> "Armed":
        """Return the wait as it was begun: neither its deadline nor what counts changes any more."""
        kept = json.loads(recorded.armed or "{}")
        since = kept.get("since")
        deadline = recorded.deadline or recorded.created_at
        return Armed(self, deadline, kept.get("after", 0), since and datetime.fromisoformat(since))


@dataclass(frozen=True, slots=True)
class Armed:
    """A wait that has begun: until when, and which events count."""

    wait: EventWait
    deadline: datetime
    after: int
    since: datetime | None

    def kept(self) -> str:
        """Return what is stored of it, for ``armed_again`` and for those who look."""
        where = [condition.as_data() for condition in self.wait.where]
        since = self.since and self.since.isoformat()
        return json.dumps({"event": self.wait.event, "where": where, "after": self.after, "since": since})

    def first_event(self, contact_id: UUID) -> dict[str, Any] | None:
        """Return the first event that ends the wait, if one arrived before its deadline."""
        fits = "".join(f" and ({condition.sql('now()')})" for condition in self.wait.where).replace("%", "%%")
        values = [contact_id, self.wait.event, self.deadline, self.after, self.since]
        row = fetch_one(FIRST.format(where=fits), values)
        if row is None:
            return None
        properties = json.loads(row[0])
        # What is too large for a journal loses its nested values, as a trigger event does.
        if len(row[0]) > MAX_RESULT_BYTES // 2:
            properties = scalars(properties)
        return {"timed_out": False, "properties": properties, "occurred_at": row[1].isoformat()}
