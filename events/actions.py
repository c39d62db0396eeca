"""The only writer of events and of the idempotency keys that guard them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction

from contacts.actions import ContactRequest, lock_contacts, lock_keys, resolve_contacts
from contacts.pipeline import columns, pipeline
from events.definitions import Batch, NewEvent, RecordedEvent
from events.routing import tell, told_alone
from events.rules import fingerprint, waves
from events.submission import Answer, Submission
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

OTHER_EVENT = "This idempotency key was used before for a different event; use a new key for a new event."
CLAIM = """
    insert into events_idempotencykey (scope, key, fingerprint, answer, created_at)
    select u.scope, u.key, u.fingerprint, u.answer, n.now
    from unnest(%s::text[], %s::text[], %s::bytea[], %s::uuid[]) u(scope, key, fingerprint, answer)
    cross join (select %s::timestamptz as now) n
    order by 1, 2
    on conflict (scope, key) do nothing
    returning answer"""
READ_CLAIMS = """
    select k.scope, k.key, k.fingerprint, k.answer, (select e.contact_id from events_event e where e.id = k.answer)
    from unnest(%s::text[], %s::text[]) u(scope, key)
    cross join lateral (select * from events_idempotencykey k where k.scope = u.scope and k.key = u.key offset 0) k"""
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


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key that somebody asks for: ``answer`` is the id of the row it stands for."""

    scope: str
    key: str
    fingerprint: bytes
    answer: UUID


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim that came too late: what the key stands for already."""

    fingerprint: bytes
    answer: UUID
    contact_id: UUID | None


def ingest_events(submissions: Sequence[Submission], *, now: datetime) -> list[Answer]:
    """Record events from outside in one transaction and tell the consumers of them; answer each, in order.

    A submission whose idempotency key is taken changes nothing at all: no contact, no property, no event.
    """
    with transaction.atomic(savepoint=False):
        with pipeline():
            answers = _answer_duplicates(submissions, now=now)
            fresh = [one for one in submissions if one.id not in answers]
            people = resolve_contacts([ContactRequest(keys=one.keys, patch=one.patch) for one in fresh], now=now)
            recorded = [_from_outside(one, person.contact_id, now) for one, person in zip(fresh, people, strict=True)]
            _insert(recorded, [one.properties_json for one in fresh], now=now)
        heard = _tell(recorded, now=now)
    for event in recorded:
        answers[event.id] = Answer(
            stored=True,
            contact_id=event.contact_id,
            exits=tuple(heard.exits.get(event.id, ())),
            lists_error=heard.lists_errors.get(event.id),
        )
    return _in_order(submissions, answers)


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
        taken = _claim([claim for claim in claims if claim is not None], now)
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
    taken = _claim(list(claims.values()), now)
    return {
        event_id: Answer(
            stored=False,
            contact_id=first.contact_id,
            reason=None if first.fingerprint == claims[event_id].fingerprint else OTHER_EVENT,
        )
        for event_id, first in taken.items()
    }


def _claim(claims: Sequence[Claim], now: datetime) -> dict[UUID, Taken]:
    """Claim what is free, and return the claims that came too late by the id they asked for."""
    first: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        first.setdefault((claim.scope, claim.key), claim)
    if not first:
        return {}
    with pipeline() as pipe:
        rows = [(one.scope, one.key, one.fingerprint, one.answer) for one in first.values()]
        won = {row[0] for row in pipe.send(CLAIM, [*columns(rows), now]).fetchall()}
        lost = [one for one in claims if one.answer not in won]
        if not lost:
            return {}
        found = pipe.send(READ_CLAIMS, columns([(one.scope, one.key) for one in lost])).fetchall()
    known = {(scope, key): Taken(bytes(print_), answer, contact) for scope, key, print_, answer, contact in found}
    # A key may have been forgotten this very moment; the request still repeats it.
    return {one.answer: known.get((one.scope, one.key), Taken(one.fingerprint, one.answer, None)) for one in lost}


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
