"""Record events: from outside, and those that the engine causes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction

from contacts.actions import ContactRequest, lock_contacts, lock_keys, merge_owners, resolve_contacts
from contacts.pipeline import columns, pipeline
from contacts.rules import MergeNeededError, Policy
from events.definitions import Batch, NewEvent, RecordedEvent
from events.idempotency import Claim, claim_keys
from events.routing import tell, told_alone
from events.rules import fingerprint, waves
from events.submission import Answer, Submission
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

OTHER_EVENT = "This idempotency key was used before for a different event; use a new key for a new event."
INSERT = """
    insert into events_event (id, contact_id, name, properties, hop, occurred_at, received_at)
    select u.id, u.contact_id, u.name, u.properties::jsonb, u.hop, u.occurred_at, n.now
    from unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::timestamptz[])
             with ordinality u(id, contact_id, name, properties, hop, occurred_at, i)
    cross join (select %s::timestamptz as now) n
    order by u.i"""
FORGET = """
    delete from events_idempotencykey where id in (
        select id from events_idempotencykey where created_at < %s
        order by created_at limit %s for update skip locked)"""


def ingest_events(submissions: Sequence[Submission], *, now: datetime) -> list[Answer]:
    """Record events from outside in one transaction and tell the consumers of them; answer each, in order.

    A submission whose idempotency key is taken changes nothing at all: no contact, no property, no event. Raises
    MergeNeededError, with the position of the submission, when its keys belong to people who are one; it can be
    recorded by ``ingest_merging``.
    """
    with transaction.atomic(savepoint=False):
        with pipeline():
            answers = _answer_duplicates(submissions, now=now)
            fresh = [position for position, one in enumerate(submissions) if one.id not in answers]
            try:
                recorded = _store([submissions[position] for position in fresh], now=now)
            except MergeNeededError as needed:
                raise MergeNeededError(fresh[needed.position]) from None
        return _tell_and_answer(submissions, recorded, answers, now=now)


def ingest_merging(submission: Submission, *, now: datetime) -> Answer:
    """Record one event from outside as ``ingest_events`` does, and before that merge the owners of its keys."""
    with transaction.atomic(savepoint=False):
        answers = _answer_duplicates([submission], now=now)
        recorded: list[RecordedEvent] = []
        if not answers:
            policy = merge_owners(submission.keys, actor=f"event {submission.id}", now=now)
            recorded = _store([submission], now=now, policy=policy)
        return _tell_and_answer([submission], recorded, answers, now=now)[0]


def emit_events(new: Sequence[NewEvent], *, now: datetime, hop: int = 0) -> list[RecordedEvent | None]:
    """Record events that the engine causes for known contacts; reserved names are allowed.

    Returns one entry per event, in order: None where it was recorded before (its idempotency key is taken), where the
    contact was deleted, or where the chain of causes is too long. The last two are logged.
    """
    if hop > settings.HOGSEND_MAX_HOPS:
        log.warning("events.too_many_hops", hop=hop, count=len(new), names=sorted({one.name for one in new}))
        return [None] * len(new)
    with transaction.atomic(savepoint=False):
        alive = lock_contacts({one.contact_id for one in new})
        prepared = [_recorded(one, alive, now, hop) for one in new]
        claims = [_engine_claim(one, event) for one, event in zip(new, prepared, strict=True)]
        taken = claim_keys([claim for claim in claims if claim is not None], now=now)
        kept = [event if event is not None and event.id not in taken else None for event in prepared]
        events = [event for event in kept if event is not None]
        _insert(events, [msgspec.json.encode(event.properties).decode() for event in events], now=now)
        _tell(events, now=now)
    return kept


def recorded_before(ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the contact of each of these events which is stored already."""
    with connection.cursor() as cursor:
        cursor.execute("select id, contact_id from events_event where id = any(%s)", [list(ids)])
        return dict(cursor.fetchall())


def forget_keys(*, older_than: timedelta, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` idempotency keys that are old enough, and return how many it were."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [now - older_than, limit])
        return int(cursor.rowcount)


def _store(fresh: Sequence[Submission], *, now: datetime, policy: Policy | None = None) -> list[RecordedEvent]:
    with pipeline():
        asked = [ContactRequest(one.keys, one.patch, one.occurred_at) for one in fresh]
        people = resolve_contacts(asked, now=now, policy=policy)
        recorded = [_from_outside(one, person.contact_id, now) for one, person in zip(fresh, people, strict=True)]
        _insert(recorded, [one.properties_json for one in fresh], now=now)
    return recorded


def _tell_and_answer(
    submissions: Sequence[Submission], recorded: Sequence[RecordedEvent], answers: dict[UUID, Answer], *, now: datetime
) -> list[Answer]:
    heard = _tell(recorded, now=now)
    for event in recorded:
        exits, lists_error = tuple(heard.exits.get(event.id, ())), heard.lists_errors.get(event.id)
        answers[event.id] = Answer(stored=True, contact_id=event.contact_id, exits=exits, lists_error=lists_error)
    return _in_order(submissions, answers)


def _answer_duplicates(submissions: Sequence[Submission], *, now: datetime) -> dict[UUID, Answer]:
    claims = {
        one.id: Claim(f"{one.tenant}:events", one.idempotency_key, one.fingerprint, one.id)
        for one in submissions
        if one.idempotency_key is not None
    }
    if not claims:
        return {}
    # Keys of people come before idempotency keys, as everywhere: two batches never wait for each other in a circle.
    lock_keys({key for one in submissions for key in one.keys.pairs()})
    taken = claim_keys(list(claims.values()), now=now)
    return {
        event_id: Answer(
            stored=False,
            contact_id=first.contact_id,
            reason=None if first.fingerprint == claims[event_id].fingerprint else OTHER_EVENT,
        )
        for event_id, first in taken.items()
    }


def _insert(events: Sequence[RecordedEvent], properties: Sequence[str], *, now: datetime) -> None:
    if not events:
        return
    rows = [
        (event.id, event.contact_id, event.name, json, event.hop, event.occurred_at)
        for event, json in zip(events, properties, strict=True)
    ]
    with pipeline() as pipe:
        pipe.send(INSERT, [*columns(rows), now])


def _from_outside(one: Submission, contact_id: UUID, now: datetime) -> RecordedEvent:
    return RecordedEvent(
        one.id,
        contact_id,
        one.name,
        one.properties,
        one.occurred_at or now,
        lists=one.lists or {},
        patched=frozenset(one.patch or ()),
    )


def _tell(events: Sequence[RecordedEvent], *, now: datetime) -> Batch:
    """Tell the consumers, person by person in order; what they cause is recorded one hop further.

    Returns a batch with all that they answered.
    """
    heard = Batch(events=list(events), now=now)
    for wave in waves([(event.contact_id, event.name) for event in events], told_alone()):
        batch = Batch(events=[events[position] for position in wave], now=now)
        tell(batch)
        heard.exits.update(batch.exits)
        heard.lists_errors.update(batch.lists_errors)
        if batch.caused:
            emit_events(batch.caused, now=now, hop=events[0].hop + 1)
    return heard


def _recorded(one: NewEvent, alive: dict[UUID, UUID], now: datetime, hop: int) -> RecordedEvent | None:
    contact_id = alive.get(one.contact_id)
    if contact_id is None:
        log.warning("events.contact_deleted", contact_id=str(one.contact_id), name=one.name)
        return None
    return RecordedEvent(new_id(), contact_id, one.name, one.properties, one.occurred_at or now, hop)


def _engine_claim(one: NewEvent, event: RecordedEvent | None) -> Claim | None:
    if one.idempotency_key is None or event is None:
        return None
    body: dict[str, Any] = {"contact": one.contact_id, "name": one.name, "properties": one.properties}
    return Claim("engine", one.idempotency_key, fingerprint(body), event.id)


def _in_order(submissions: Sequence[Submission], answers: dict[UUID, Answer]) -> list[Answer]:
    """A repetition inside the batch names the contact of the one that was stored."""
    stored = {
        (one.tenant, one.idempotency_key): answers[one.id].contact_id for one in submissions if answers[one.id].stored
    }
    found = []
    for one in submissions:
        answer = answers[one.id]
        if not answer.stored and answer.contact_id is None:
            answer = replace(answer, contact_id=stored.get((one.tenant, one.idempotency_key)))
        found.append(answer)
    return found
