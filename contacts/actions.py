"""The only writer of people and their keys."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import transaction

from contacts import statements
from contacts.pipeline import Pipeline, array, columns, pipeline
from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, Conflict, Directory, Key, Keys, Person, lock_number
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

Patch = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """By which keys somebody came, and what was said about them."""

    keys: Keys
    patch: Patch | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom a request meant, and whether that person was unknown until now."""

    contact_id: UUID
    created: bool


@dataclass(slots=True)
class _Touched:
    person: Person
    patch: dict[str, Any]


@dataclass(slots=True)
class _Facts:
    owners: dict[Key, Person]
    stale: set[UUID]


def lock_keys(keys: Iterable[Key]) -> None:
    """Hold the locks of these keys until the transaction ends; nobody else may create or move them meanwhile."""
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        pipe.send(statements.LOCK_KEYS, [_numbers(keys)])


def lock_contacts(ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Hold the locks of these people until the transaction ends, and return under which id each of them lives.

    Somebody who was merged lives under the survivor's id, which is locked as well; the deleted are missing.
    """
    alive: dict[UUID, UUID] = {}
    asked, held = set(ids), set[UUID]()
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        wanted = asked
        while wanted - held:
            pipe.send(statements.LOCK_CONTACTS, [array(wanted - held)])
            held |= wanted
            rows = pipe.send(statements.READ_SURVIVORS, [array(asked), None]).fetchall()
            alive = {row[0]: row[1] for row in rows}
            wanted = set(alive.values())
    return alive


def resolve_contacts(requests: Sequence[ContactRequest], *, now: datetime) -> list[Resolved]:
    """Find or create the person of each request, in order, and keep every key and property that came with it.

    A request behaves as if it came alone after the ones before it. Keys that belong to different people stay where
    they are: the request goes to the most identified of them, and a KeyConflict is recorded. Simultaneous calls with
    common keys wait for each other, so one person is never created twice.
    """
    wanted = {key for request in requests for key in request.keys.pairs()}
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        facts = _lock_and_read(pipe, sorted(wanted), now)
        directory = Directory(owners=facts.owners)
        touched: dict[UUID, _Touched] = {}
        resolved = [_place(request, directory, touched) for request in requests]
        _write(pipe, directory, touched.values(), facts.stale, now)
    return resolved


def _lock_and_read(pipe: Pipeline, keys: list[Key], now: datetime) -> _Facts:
    kinds, values = columns(keys) if keys else (array([]), array([]))
    pipe.send(statements.LOCK_KEYS, [_numbers(keys)])
    locking = pipe.send(statements.LOCK_OWNERS, [kinds, values])
    reading = pipe.send(statements.READ_OWNERS, [kinds, values, now])
    held = {row[0] for row in locking.fetchall()}
    while True:
        rows = reading.fetchall()
        facts, ids = _facts(pipe, rows, now)
        if ids <= held:
            return facts
        # Somebody was merged between the look-up and the lock, or long ago: lock the survivors and look again.
        pipe.send(statements.LOCK_CONTACTS, [array(ids - held)])
        held |= ids
        reading = pipe.send(statements.READ_OWNERS, [kinds, values, now])


def _facts(pipe: Pipeline, rows: list[tuple[Any, ...]], now: datetime) -> tuple[_Facts, set[UUID]]:
    """Return the living owners of the keys, and every id that has to be locked for that to stay true."""
    facts, people = _Facts({}, set()), dict[UUID, Person]()
    merged: list[tuple[Key, UUID]] = []
    for kind, value, contact_id, external, email, anonymous, lives, merged_into, stale in rows:
        if merged_into is not None:
            merged.append(((kind, value), contact_id))
        elif lives:
            facts.owners[kind, value] = people.setdefault(contact_id, _person(contact_id, external, email, anonymous))
            if stale:
                facts.stale.add(contact_id)
    if merged:
        _follow(pipe, merged, people, facts, now)
    return facts, {row[2] for row in rows} | people.keys()


def _follow(
    pipe: Pipeline, merged: list[tuple[Key, UUID]], people: dict[UUID, Person], facts: _Facts, now: datetime
) -> None:
    rows = pipe.send(statements.READ_SURVIVORS, [array(contact_id for _, contact_id in merged), now]).fetchall()
    survivors = {row[0]: row[1:] for row in rows}
    for key, contact_id in merged:
        if contact_id in survivors:
            survivor_id, external, email, anonymous, stale = survivors[contact_id]
            facts.owners[key] = people.setdefault(survivor_id, _person(survivor_id, external, email, anonymous))
            if stale:
                facts.stale.add(survivor_id)


def _person(contact_id: UUID, external: str | None, email: str | None, anonymous: str | None) -> Person:
    return Person(id=contact_id, columns={EXTERNAL: external, EMAIL: email, ANONYMOUS: anonymous})


def _place(request: ContactRequest, directory: Directory, touched: dict[UUID, _Touched]) -> Resolved:
    person = directory.place(request.keys, new_id)
    created = person.is_new and person.id not in touched
    seen = touched.setdefault(person.id, _Touched(person, {}))
    if request.patch:
        seen.patch.update(request.patch)
    return Resolved(contact_id=person.id, created=created)


def _write(
    pipe: Pipeline, directory: Directory, touched: Collection[_Touched], stale: set[UUID], now: datetime
) -> None:
    if new := [_contact_row(one) for one in touched if one.person.is_new]:
        pipe.send(statements.INSERT_CONTACTS, [*columns(new), now])
    if directory.gained:
        keys = [(kind, value, person.id) for (kind, value), person in directory.gained.items()]
        pipe.send(statements.INSERT_KEYS, [*columns(keys), now])
    known = [
        (*_contact_row(one), one.person.filled, one.person.id in stale)
        for one in touched
        if not one.person.is_new and (one.person.filled or one.patch or one.person.id in stale)
    ]
    if known:
        pipe.send(statements.UPDATE_CONTACTS, [*columns(known), now, array(row[0] for row in known)])
    if directory.conflicts:
        _record_conflicts(pipe, directory.conflicts, now)


def _contact_row(one: _Touched) -> tuple[Any, ...]:
    patch = msgspec.json.encode(one.patch).decode() if one.patch else None
    names = one.person.columns
    return (one.person.id, names.get(EXTERNAL), names.get(EMAIL), names.get(ANONYMOUS), patch)


def _record_conflicts(pipe: Pipeline, conflicts: list[Conflict], now: datetime) -> None:
    rows = [
        (new_id(), one.contact_id, one.other_id, one.kind, one.value, times)
        for one, times in Counter(conflicts).items()
    ]
    pipe.send(statements.INSERT_CONFLICTS, [*columns(rows), now])
    log.info("contacts.keys_conflict", count=len(conflicts))


def _numbers(keys: Iterable[Key]) -> str:
    return array(sorted({lock_number(kind, value) for kind, value in keys}))
