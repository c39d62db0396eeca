"""Let people into journeys."""

import json
from dataclasses import dataclass
from datetime import datetime

from conditions.evaluate import holds
from contacts.pipeline import array
from events.definitions import Batch, RecordedEvent
from hogsend.doorbell import ring
from hogsend.lib.ids import new_id
from journeys.definitions import Journey, index
from journeys.queries import EntryRecord, entry_records
from journeys.rules import Enrol, EntryFacts, Skip, SkipReason, may_enrol, scalars
from journeys.statements import affect, fetch

INSERT = """
    with entered as (
        insert into journeys_journeyrun (
            id, contact_id, journey_id, trigger_event_id, context, entry_number, code_hash, version,
            created_at, progressed_at, status, node, lease_token, lease_owner, crash_count, error, exit_reason
        )
        select candidate.*, %(now)s, %(now)s, 'active', 'start', 0, '', 0, '', ''
        from unnest(
            %(id)s::uuid[], %(contact)s::uuid[], %(journey)s::text[], %(event)s::uuid[],
            %(context)s::jsonb[], %(entry)s::int[], %(code)s::text[], %(version)s::int[]
        ) as candidate
        on conflict do nothing
        returning id
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select id, '', 'start', %(now)s, 0 from entered
    returning run_id
"""
INSERT_SKIPS = """
    insert into journeys_enrolmentskip (contact_id, journey_id, event_id, reason, created_at)
    select skipped.*, %s from unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[]) as skipped
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A journey that listens to an event."""

    journey: Journey
    event: RecordedEvent


def enrol_people(batch: Batch) -> None:
    """Begin a run, due at once, for each event of ``batch`` that may start a journey; store why not for the others.

    Idempotent per event and journey; two at once for one person become one run. The caller holds the contacts' locks.
    """
    by_trigger = index().by_trigger
    candidates = [Candidate(journey, event) for event in batch.events for journey in by_trigger.get(event.name, ())]
    if not candidates:
        return
    entering: list[tuple[Candidate, int]] = []
    skipped: list[tuple[Candidate, SkipReason]] = []
    records = entry_records([(candidate.event.contact_id, candidate.journey.id) for candidate in candidates])
    for candidate, record in zip(candidates, records, strict=True):
        verdict = _decide(candidate, record, batch.now)
        if isinstance(verdict, Enrol):
            entering.append((candidate, verdict.entry_number))
        elif isinstance(verdict, Skip):
            skipped.append((candidate, verdict.reason))
    if entering:
        skipped += _begin(entering, batch.now)
    _store_skips(skipped, batch.now)


def _decide(candidate: Candidate, record: EntryRecord, now: datetime) -> Enrol | Skip | None:
    """Ask the rule; a person who is gone gets neither a run nor a reason."""
    if not record.alive:
        return None
    journey = candidate.journey
    return may_enrol(
        EntryFacts(
            enabled=journey.enabled,
            disabled_by_admin=record.disabled_by_admin,
            conditions_met=holds(journey.where, candidate.event.properties),
            entry_limit=journey.entry_limit,
            entry_period=journey.entry_period,
            entries=record.entries,
            last_entered_at=record.last_entered_at,
            unsubscribed=record.unsubscribed,
            live=record.live,
            now=now,
        )
    )


def _begin(entering: list[tuple[Candidate, int]], now: datetime) -> list[tuple[Candidate, SkipReason]]:
    """Insert the runs and their wakeups; return those that a constraint refused."""
    ids = [new_id() for _ in entering]
    values = {
        "now": now,
        "id": array(ids),
        "contact": array(candidate.event.contact_id for candidate, _ in entering),
        "journey": array(candidate.journey.id for candidate, _ in entering),
        "event": array(candidate.event.id for candidate, _ in entering),
        "context": array(json.dumps(scalars(candidate.event.properties)) for candidate, _ in entering),
        "entry": array(entry_number for _, entry_number in entering),
        "code": array(candidate.journey.code_hash for candidate, _ in entering),
        "version": array(candidate.journey.version for candidate, _ in entering),
    }
    begun = {run_id for (run_id,) in fetch(INSERT, values)}
    if begun:
        ring("journeys.advance")
    refused = [candidate for run_id, (candidate, _) in zip(ids, entering, strict=True) if run_id not in begun]
    return [(candidate, SkipReason.ACTIVE) for candidate in refused]


def _store_skips(skipped: list[tuple[Candidate, SkipReason]], now: datetime) -> None:
    """Store the reasons; that the code switched a journey off is not news about a person."""
    told = [(candidate, reason) for candidate, reason in skipped if reason is not SkipReason.DISABLED]
    if not told:
        return
    values = [
        now,
        array(candidate.event.contact_id for candidate, _ in told),
        array(candidate.journey.id for candidate, _ in told),
        array(candidate.event.id for candidate, _ in told),
        array(reason.value for _, reason in told),
    ]
    affect(INSERT_SKIPS, values)
