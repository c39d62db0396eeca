"""Let people into a journey by hand, and say truthfully what became of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from contacts.actions.lock import lock_contacts
from contacts.pipeline import array
from hogsend.doorbell import ring
from hogsend.lib.ids import new_id
from journeys.definitions import Journey
from journeys.queries import EntryRecord, entry_records
from journeys.rules import EntryFacts, Skip, SkipReason, may_enrol, scalars, storable
from journeys.statements import fetch

# Who let somebody in stands in the journal, as a step that no replay is given (journeys/actions/lease.py).
INSERT = """
    with entered as (
        insert into journeys_journeyrun (
            id, contact_id, journey_id, context, entry_number, code_hash, version, created_at, progressed_at,
            status, node, lease_token, lease_owner, crash_count, error, exit_reason
        )
        select guest.id, guest.contact_id, %(journey)s, guest.context, guest.entry_number, %(code)s, %(version)s,
            %(now)s, %(now)s, 'active', 'start', 0, '', 0, '', ''
        from unnest(%(id)s::uuid[], %(contact)s::uuid[], %(context)s::jsonb[], %(entry)s::int[])
            as guest(id, contact_id, context, entry_number)
        on conflict do nothing
        returning id
    ), told as (
        insert into journeys_journeystep (
            run_id, seq, key, kind, status, result, created_at, finished_at, arguments_hash
        )
        select id, 0, 'entered:by_hand', 'entered', 'done', %(by)s::jsonb, %(now)s, %(now)s, '' from entered
    )
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select id, '', 'start', %(now)s, 0 from entered
    returning run_id
"""


class EnrolResult(StrEnum):
    """What became of somebody who was to enter a journey."""

    ENROLLED = "enrolled"
    ALREADY_ACTIVE = "already_active"
    ENTRY_LIMIT = "entry_limit"
    UNSUBSCRIBED = "unsubscribed"
    DISABLED = "disabled"
    GONE = "contact_gone"


RESULTS: Final = {
    SkipReason.DISABLED: EnrolResult.DISABLED,
    SkipReason.DISABLED_BY_ADMIN: EnrolResult.DISABLED,
    SkipReason.ENTERED_ONCE: EnrolResult.ENTRY_LIMIT,
    SkipReason.PERIOD: EnrolResult.ENTRY_LIMIT,
    SkipReason.UNSUBSCRIBED: EnrolResult.UNSUBSCRIBED,
    SkipReason.ACTIVE: EnrolResult.ALREADY_ACTIVE,
}
SENTENCES: Final = {
    "": "They are in the journey now; a worker begins with it at once.",
    "contact_gone": "They were deleted, so they enter nothing.",
    "left_out": "ENABLED_JOURNEYS, or ENABLED_BUCKETS for a reaction, leaves this journey out here; name it there.",
    SkipReason.DISABLED: "The journey is off in the code (enabled=False); switch it on there.",
    SkipReason.DISABLED_BY_ADMIN: "Staff switched this journey off; switch it on first.",
    SkipReason.ENTERED_ONCE: "They entered this journey before, and it takes nobody twice.",
    SkipReason.PERIOD: "Their last entry is too recent; the journey's entry_period must pass first.",
    SkipReason.UNSUBSCRIBED: "They unsubscribed from all mail, so they enter no journey.",
    SkipReason.ACTIVE: "They are in this journey already; it goes on where it is.",
}


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who is to enter a journey, and what the run is told as the properties of its event."""

    contact_id: UUID
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """What became of a guest: the run if there is one, else why not, as a word and a sentence."""

    result: EnrolResult
    run_id: UUID | None = None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """Say it to the operator."""
        return SENTENCES[self.reason]


def enrol_person(*, journey: Journey, guest: Guest, by: str, now: datetime) -> EnrolAnswer:
    """Let one person into a journey; see ``enrol_guests``."""
    [answer] = enrol_guests(journey=journey, guests=[guest], by=by, now=now)
    return answer


def enrol_guests(*, journey: Journey, guests: Sequence[Guest], by: str, now: datetime) -> list[EnrolAnswer]:
    """Let people into a journey, all in one transaction, and tell of each what became of them, in order.

    Every rule of entry holds except the conditions on the event, for there is none: nothing else starts, and the run
    notes who let them in. Who was merged enters as the survivor. Raises OperationalError when it has to begin again.
    """
    with transaction.atomic():
        living = lock_contacts({guest.contact_id for guest in guests})
        known = [living.get(guest.contact_id) for guest in guests]
        records = iter(entry_records([(contact_id, journey.id) for contact_id in known if contact_id]))
        verdicts = [_decide(journey, next(records), now) if contact_id else None for contact_id in known]
        entering = [
            (contact_id, guest, verdict)
            for contact_id, guest, verdict in zip(known, guests, verdicts, strict=True)
            if contact_id and isinstance(verdict, int)
        ]
        begun = iter(_begin(journey, entering, by=by, now=now) if entering else [])
        return [next(begun) if isinstance(verdict, int) else verdict or _GONE for verdict in verdicts]


_GONE: Final = EnrolAnswer(EnrolResult.GONE, reason="contact_gone")


def _decide(journey: Journey, record: EntryRecord, now: datetime) -> int | EnrolAnswer:
    """Return which entry of the person it is, or why they do not enter."""
    if not record.alive:
        return _GONE
    if not journey.is_wanted:
        return EnrolAnswer(EnrolResult.DISABLED, reason="left_out")
    verdict = may_enrol(
        EntryFacts(
            enabled=journey.enabled,
            disabled_by_admin=record.disabled_by_admin,
            conditions_met=True,
            entry_limit=journey.entry_limit,
            entry_period=journey.entry_period,
            entries=record.entries,
            last_entered_at=record.last_entered_at,
            unsubscribed=record.unsubscribed,
            live=record.live,
            now=now,
        )
    )
    return _refused(verdict.reason) if isinstance(verdict, Skip) else verdict.entry_number


def _refused(reason: SkipReason) -> EnrolAnswer:
    return EnrolAnswer(RESULTS[reason], reason=reason)


def _begin(
    journey: Journey, entering: Sequence[tuple[UUID, Guest, int]], *, by: str, now: datetime
) -> list[EnrolAnswer]:
    """Insert the runs; a constraint refuses whoever stands in the list twice."""
    ids = [new_id() for _ in entering]
    values = {
        "now": now,
        "journey": journey.id,
        "code": journey.code_hash,
        "version": journey.version,
        "by": json.dumps({"by": storable(by)}),
        "id": array(ids),
        "contact": array(contact_id for contact_id, _, _ in entering),
        "context": array(json.dumps(scalars(guest.properties)) for _, guest, _ in entering),
        "entry": array(number for _, _, number in entering),
    }
    begun = {run_id for (run_id,) in fetch(INSERT, values)}
    if begun:
        ring("journeys.advance")
    return [
        EnrolAnswer(EnrolResult.ENROLLED, run_id) if run_id in begun else _refused(SkipReason.ACTIVE) for run_id in ids
    ]
