"""What enrolment and running journeys need to know."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contacts.pipeline import array
from journeys.definitions import index
from journeys.deploys import absence_of
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

BY_CODE = """
    select version, code_hash, count(*), min(created_at), max(created_at) from journeys_journeyrun
    where journey_id = %s and status in ('active', 'waiting')
    group by version, code_hash order by max(created_at) desc
"""
LIVE_BY_VERSION = """
    select journey_id, version, count(*), min(progressed_at) from journeys_journeyrun
    where status in ('active', 'waiting') group by journey_id, version order by journey_id, version
"""
DRIFTED = """
    select count(*) from journeys_journeyrun r, lateral (
        select from journeys_journeystep where run_id = r.id and key = 'drift' offset 0
    ) drift
    where r.journey_id = %s and r.status = 'completed' and r.ended_at >= %s
"""
RECORDED = """
    select r.id, r.journey_id, r.version, r.code_hash, r.status, r.context, r.contact_id, r.progressed_at,
        coalesce(c.external_id, c.anonymous_id, c.id::text), coalesce(c.email, ''), journal.steps
    from journeys_journeyrun r
    join contacts_contact c on c.id = r.contact_id, lateral (
        select coalesce(jsonb_agg(jsonb_build_object(
            'key', key, 'kind', kind, 'status', status, 'result', result, 'deadline', deadline, 'createdAt', created_at
        ) order by seq), '[]') as steps
        from journeys_journeystep where run_id = r.id and kind not in ('drift', 'entered', 'skipped') offset 0
    ) journal
    where r.id > %(after)s and r.journey_id = any(%(journeys)s)
        and (%(ended)s or r.status in ('active', 'waiting'))
    order by r.id limit %(limit)s
"""
PAGE: Final = 500


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


@dataclass(frozen=True, slots=True)
class RunsOfCode:
    """How many live runs of a journey began under one version and one code, and when the first and last of them did."""

    version: int
    code_hash: str
    runs: int
    first_began_at: datetime
    last_began_at: datetime


def runs_by_code(journey_id: str) -> list[RunsOfCode]:
    """Return the live runs of a journey by the code under which they began, the newest first."""
    return [RunsOfCode(*row) for row in fetch(BY_CODE, [journey_id])]


@dataclass(frozen=True, slots=True)
class ParkedRuns:
    """Live runs that stand still because the code here cannot play them, and why.

    ``is_left_out`` if the code has their journey and a setting leaves it out: another process may play them.
    """

    journey_id: str
    version: int
    runs: int
    standing_since: datetime
    why: str
    is_left_out: bool


def parked_runs() -> list[ParkedRuns]:
    """Return which live runs the code here cannot play: their journey or their version is gone, or left out."""
    known = index().by_id
    return [
        ParkedRuns(journey_id, version, runs, since, why, journey_id in known and not known[journey_id].is_wanted)
        for journey_id, version, runs, since in fetch(LIVE_BY_VERSION)
        if (why := absence_of(journey_id, version))
    ]


def drifted_runs(journey_id: str, *, since: datetime) -> int:
    """Return how many runs of a journey have completed since then without meeting all that they had recorded."""
    [(count,)] = fetch(DRIFTED, [journey_id, since])
    return int(count)


def live_journey_ids() -> list[str]:
    """Return the ids of all journeys that have live runs, whether they are declared or not."""
    return list(dict.fromkeys(journey_id for journey_id, *_ in fetch(LIVE_BY_VERSION)))


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run with its journal, as the database or a file holds it; the steps in their recorded order."""

    id: UUID
    journey_id: str
    version: int
    code_hash: str
    status: str
    context: dict[str, Any]
    contact_id: UUID
    at: datetime
    user_key: str
    email: str
    steps: list[dict[str, Any]]


def recorded_runs(journey_ids: Sequence[str], *, ended: bool = False) -> Iterator[RecordedRun]:
    """Return the live runs of journeys, or the ended ones too, oldest first, read a page at a time."""
    page = {"after": UUID(int=0), "journeys": list(journey_ids), "ended": ended, "limit": PAGE}
    while rows := fetch(RECORDED, page):
        yield from (_recorded_run(row) for row in rows)
        page["after"] = rows[-1][0]


def _recorded_run(row: tuple[Any, ...]) -> RecordedRun:
    run_id, journey_id, version, code_hash, status, context, contact_id, at, user_key, email, steps = row
    return RecordedRun(
        run_id,
        journey_id,
        version,
        code_hash,
        status,
        json.loads(context),
        contact_id,
        at,
        user_key,
        email,
        json.loads(steps),
    )
