"""Record events: from outside, and those that the engine causes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction

from contacts.actions import (
    ContactRequest,
    Facts,
    Resolved,
    asked_for,
    facts_of,
    lock_contacts,
    merge_among,
    resolve_among,
)
from contacts.pipeline import array, call, columns
from contacts.rules import MergeNeededError, Policy
from events.actions.repetitions import answers_of, claims_of, in_order, keep_exits
from events.definitions import Batch, NewEvent, RecordedEvent
from events.idempotency import Claim, claim_keys
from events.idempotency import asked_for as claims_asked_for
from events.routing import tell, told_alone
from events.rules import fingerprint, waves
from events.submission import Answer, Submission
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

# Functions of events/migrations/0004.
BEGIN = "select events_begin($1, $2, $3, $4, $5, $6, $7, $8)"
STORE = "select events_store($1, $2, $3, $4, $5, $6, $7, $8)"
FORGET = """
    delete from events_idempotencykey where id in (
        select id from events_idempotencykey where created_at < %s
        order by created_at limit %s for update skip locked)"""


@dataclass(frozen=True, slots=True)
class Begun:
    """When the transaction began, what it has already answered (repetitions), and who owns which key."""

    now: datetime
    answers: dict[UUID, Answer]
    facts: Facts


_begun = msgspec.json.Decoder(tuple[datetime, msgspec.Raw, msgspec.Raw])


def ingest_events(submissions: Sequence[Submission], *, now: datetime | None = None) -> list[Answer]:
    """Record events from outside in one transaction and tell the consumers of them; answer each, in order.

    A submission whose idempotency key is taken changes nothing at all: no contact, no property, no event. ``now`` is
    the time of the transaction if it is not given. Raises MergeNeededError, with the position of the submission, when
    its keys belong to people who are one; it can be recorded by ``ingest_merging``.
    """
    with transaction.atomic(savepoint=False):
        begun = _begin(submissions, now)
        answers = begun.answers
        fresh = [position for position, one in enumerate(submissions) if one.id not in answers]
        try:
            recorded = _store([submissions[position] for position in fresh], begun.facts, now=begun.now)
        except MergeNeededError as needed:
            raise MergeNeededError(fresh[needed.position]) from None
        return _tell_and_answer(submissions, recorded, answers, now=begun.now)


def ingest_merging(submission: Submission, *, now: datetime | None = None) -> Answer:
    """Record one event from outside as ``ingest_events`` does, and before that merge the owners of its keys."""
    with transaction.atomic(savepoint=False):
        begun = _begin([submission], now)
        recorded: list[RecordedEvent] = []
        if not begun.answers:
            keys = submission.keys
            policy, facts = merge_among(begun.facts, keys, actor=f"event {submission.id}", now=begun.now)
            recorded = _store([submission], facts, now=begun.now, policy=policy)
        return _tell_and_answer([submission], recorded, begun.answers, now=begun.now)[0]


def emit_events(
    new: Sequence[NewEvent], *, now: datetime, hop: int = 0, held: bool = False
) -> list[RecordedEvent | None]:
    """Record events that the engine causes for known contacts; reserved names are allowed.

    ``held`` says that the transaction holds the locks of all of them, and that they live under these ids.

    Returns one entry per event, in order: None where it was recorded before (its idempotency key is taken), where the
    contact was deleted, or where the chain of causes is too long. The last two are logged.
    """
    if hop > settings.HOGSEND_MAX_HOPS:
        log.warning("events.too_many_hops", hop=hop, count=len(new), names=sorted({one.name for one in new}))
        return [None] * len(new)
    with transaction.atomic(savepoint=False):
        people = {one.contact_id for one in new}
        alive = {one: one for one in people} if held else lock_contacts(people)
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


def _begin(submissions: Sequence[Submission], now: datetime | None) -> Begun:
    """Lock, claim and read all that the submissions need to be decided, in one call."""
    claims = claims_of(submissions)
    asked = asked_for([key for one in submissions for key in one.keys.pairs()])
    started = None if now is None else now.isoformat()
    at, taken, owners = _begun.decode(call(BEGIN, [*asked, *claims_asked_for(claims), started]))
    return Begun(at, answers_of(claims, taken), facts_of(asked, owners, now=at))


def _store(
    fresh: Sequence[Submission], facts: Facts, *, now: datetime, policy: Policy | None = None
) -> list[RecordedEvent]:
    if not fresh:
        return []
    asked = [ContactRequest(one.keys, one.patch, one.occurred_at) for one in fresh]
    # Seen is what most are, and nothing else is to be written about them: that goes along with the events.
    stale, facts.stale = facts.stale, set()
    people = resolve_among(facts, asked, now=now, policy=policy)
    recorded = [_from_outside(one, person, now) for one, person in zip(fresh, people, strict=True)]
    seen = stale & {person.contact_id for person in people}
    _insert(recorded, [one.properties_json for one in fresh], seen=seen, now=now)
    return recorded


def _tell_and_answer(
    submissions: Sequence[Submission], recorded: Sequence[RecordedEvent], answers: dict[UUID, Answer], *, now: datetime
) -> list[Answer]:
    heard = _tell(recorded, now=now)
    for event in recorded:
        exits, lists_error = tuple(heard.exits.get(event.id, ())), heard.lists_errors.get(event.id)
        answers[event.id] = Answer(stored=True, contact_id=event.contact_id, exits=exits, lists_error=lists_error)
    keep_exits(submissions, answers)
    return in_order(submissions, answers)


def _insert(
    events: Sequence[RecordedEvent], properties: Sequence[str], *, seen: Collection[UUID] = (), now: datetime
) -> None:
    if not events:
        return
    rows = [
        (event.id, event.contact_id, event.name, json, event.hop, event.occurred_at)
        for event, json in zip(events, properties, strict=True)
    ]
    call(STORE, [*columns(rows), array(seen), now.isoformat()])


def _from_outside(one: Submission, person: Resolved, now: datetime) -> RecordedEvent:
    return RecordedEvent(
        one.id,
        person.contact_id,
        one.name,
        one.properties,
        one.occurred_at or now,
        lists=one.lists or {},
        patched=frozenset(one.patch or ()),
        is_first=person.created,
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
            emit_events(batch.caused, now=now, hop=events[0].hop + 1, held=True)
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
