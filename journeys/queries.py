"""What enrolment and running journeys need to know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contacts.pipeline import array
from journeys.statements import fetch, fetch_one
from preferences.queries import LEFT_ALL_MAIL

ENTRIES = f"""
    select
        coalesce((select deleted_at is null from contacts_contact where id = pair.contact_id), false),
        coalesce((select not enabled from journeys_journeyoverride where journey_id = pair.journey_id), false),
        {LEFT_ALL_MAIL.format(contact="pair.contact_id")},
        last_run.entry_number, last_run.created_at,
        exists(
            select from journeys_journeyrun
            where contact_id = pair.contact_id and journey_id = pair.journey_id and status in ('active', 'waiting')
        )
    from unnest(%s::uuid[], %s::text[]) with ordinality as pair(contact_id, journey_id, position)
    left join lateral (
        select entry_number, created_at from journeys_journeyrun
        where contact_id = pair.contact_id and journey_id = pair.journey_id
        order by created_at desc limit 1
    ) last_run on true
    order by pair.position
"""  # noqa: S608 - put together from our own constants


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """One person's past with one journey."""

    alive: bool
    disabled_by_admin: bool
    unsubscribed: bool
    entries: int
    last_entered_at: datetime | None
    live: bool


def entry_records(pairs: Sequence[tuple[UUID, str]]) -> list[EntryRecord]:
    """Return the past of each (contact, journey) pair, in the given order, read in one statement."""
    rows = fetch(ENTRIES, [array(contact_id for contact_id, _ in pairs), array(journey_id for _, journey_id in pairs)])
    return [EntryRecord(alive, off, out, entries or 0, last, live) for alive, off, out, entries, last, live in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a run is now, and whether it lives."""

    contact_id: UUID
    token: int
    live: bool


def standing_of(run_id: UUID) -> Standing | None:
    """Return where a run stands; None if it was erased."""
    row = fetch_one(
        "select contact_id, lease_token, status in ('active', 'waiting') from journeys_journeyrun where id = %s",
        [run_id],
    )
    return Standing(*row) if row else None


def event_count(*, contact_id: UUID, name: str, since: datetime | None) -> int:
    """Return how often a person did something, ever or since a moment."""
    ever = "select count(*) from events_event where contact_id = %s and name = %s"
    if since is None:
        [(count,)] = fetch(ever, [contact_id, name])
    else:
        [(count,)] = fetch(f"{ever} and occurred_at >= %s", [contact_id, name, since])
    return int(count)


def journey_past(*, contact_id: UUID, journey_id: str) -> tuple[int, datetime | None]:
    """Return how often a person has entered a journey, and when they last completed it."""
    [(entries, last)] = fetch(
        "select count(*), max(ended_at) filter (where status = 'completed')"
        " from journeys_journeyrun where contact_id = %s and journey_id = %s",
        [contact_id, journey_id],
    )
    return entries, last
