"""Hold people and their keys, and read what is true of them from then on."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import OperationalError, transaction

from contacts import statements
from contacts.pipeline import Pipeline, array, call, columns_or_none, pipeline
from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, Key, Person, lock_number

TRIES, PAUSE = 10, 0.005


@dataclass(slots=True)
class Facts:
    """Who owns which key, and whom nobody has noted as seen lately."""

    owners: dict[Key, Person]
    stale: set[UUID]


class _Owner(msgspec.Struct, array_like=True):
    """Whose a key is, as contacts_lock_and_read writes it."""

    kind: str
    value: str
    id: UUID
    external: str | None
    email: str | None
    anonymous: str | None
    first_seen_at: datetime
    lives: bool
    merged_into: UUID | None
    stale: bool


_begun = msgspec.json.Decoder(tuple[datetime, msgspec.Raw])
_found = msgspec.json.Decoder(tuple[set[UUID], list[_Owner]])


def lock_keys(keys: Iterable[Key]) -> None:
    """Hold the locks of these keys until the transaction ends; nobody else may create or move them meanwhile."""
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        pipe.send(statements.LOCK_KEYS, [lock_numbers(keys)])


def lock_contacts(ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Hold the locks of these people until the transaction ends, and return under which id each of them lives.

    Somebody who was merged lives under the survivor's id, which is locked as well; the deleted are missing. Raises
    OperationalError when it had to wait out of turn: whoever calls begins the transaction again.
    """
    asked = array(set(ids))
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        locking = pipe.send(statements.LOCK_SURVIVORS, [asked])
        reading = pipe.send(statements.READ_LIVING, [asked])
        held = {row[0] for row in locking.fetchall()}
        while True:
            alive = dict(reading.fetchall())
            if not (wanted := set(alive.values()) - held):
                return alive
            lock_more(pipe, wanted, held=held)
            held |= wanted
            reading = pipe.send(statements.READ_LIVING, [asked])


def hold_contacts(ids: Collection[UUID]) -> None:
    """Hold the locks of these people until the transaction ends, as the first ones that it takes.

    Nobody is followed who was merged or deleted since ``ids`` was read; a later statement sees who lives.
    """
    with pipeline() as pipe:
        pipe.send(statements.HOLD_CONTACTS, [array(ids)])


def lock_more(pipe: Pipeline, wanted: Collection[UUID], *, held: Collection[UUID]) -> None:
    """Lock further people. Where that is out of the order of ids, it is tried only: so nobody waits in a circle.

    Raises OperationalError if somebody else holds one of them then.
    """
    if not held or min(wanted) > max(held):
        pipe.send(statements.LOCK_CONTACTS, [array(wanted)])
        return
    for _ in range(TRIES):
        if all(row[0] for row in pipe.send(statements.TRY_CONTACTS, [array(wanted)]).fetchall()):
            return
        # A transaction that has just committed lets its locks go one after the other.
        time.sleep(PAUSE)
    raise OperationalError("People were merged while this transaction waited for them; it must begin again.")


def begin(keys: Collection[Key], now: datetime | None = None) -> tuple[datetime, Facts]:
    """Do as ``lock_and_read`` in the first statement of a transaction, and return its time, unless ``now`` is given.

    From here on nobody waits for a lock for more than five seconds.
    """
    asked = asked_for(keys)
    at, answer = _begun.decode(call(statements.BEGIN, [*asked, None if now is None else now.isoformat()]))
    return at, facts_of(asked, answer, now=at)


def lock_and_read(keys: Collection[Key], now: datetime) -> Facts:
    """Lock ``keys`` and all their owners; return what is true from then on."""
    asked = asked_for(keys)
    return facts_of(asked, call(statements.LOCK_AND_READ, [*asked, now.isoformat()]), now=now)


def asked_for(keys: Collection[Key]) -> tuple[str, str, str]:
    """Return ``keys`` as contacts_lock_and_read takes them: the numbers of their locks, kinds and values."""
    pairs = sorted(set(keys))
    kinds, values = columns_or_none(pairs, 2)
    return lock_numbers(pairs), kinds, values


def facts_of(asked: tuple[str, str, str], answer: bytes, *, now: datetime) -> Facts:
    """Return the living owners of the keys, from what contacts_lock_and_read has answered.

    Whoever was merged, long ago or between the look-up and the lock, is followed to the survivor, who is locked too.
    """
    locked: set[UUID] = set()
    while True:
        held, owners = _found.decode(answer)
        locked |= held
        facts, ids = _facts(owners, now)
        if ids <= locked:
            return facts
        with pipeline() as pipe:
            lock_more(pipe, ids - locked, held=locked)
        locked |= ids
        answer = call(statements.LOCK_AND_READ, [*asked, now.isoformat()])


def _facts(rows: Sequence[_Owner], now: datetime) -> tuple[Facts, set[UUID]]:
    """Return the living owners of the keys, and every id that has to be locked for that to stay true."""
    facts, people = Facts({}, set()), dict[UUID, Person]()
    merged: list[tuple[Key, UUID]] = []
    for row in rows:
        if row.merged_into is not None:
            merged.append(((row.kind, row.value), row.id))
        elif row.lives:
            person = _person(row.id, row.external, row.email, row.anonymous, row.first_seen_at)
            facts.owners[row.kind, row.value] = people.setdefault(row.id, person)
            if row.stale:
                facts.stale.add(row.id)
    if merged:
        _follow(merged, people, facts, now)
    return facts, {row.id for row in rows} | people.keys()


def _follow(merged: list[tuple[Key, UUID]], people: dict[UUID, Person], facts: Facts, now: datetime) -> None:
    with pipeline() as pipe:
        rows = pipe.send(statements.READ_SURVIVORS, [array(contact_id for _, contact_id in merged), now]).fetchall()
    survivors = {row[0]: row[1:] for row in rows}
    for key, contact_id in merged:
        if contact_id in survivors:
            *columns_, stale = survivors[contact_id]
            facts.owners[key] = people.setdefault(columns_[0], _person(*columns_))
            if stale:
                facts.stale.add(columns_[0])


def _person(contact_id: UUID, external: str | None, email: str | None, anonymous: str | None, seen: datetime) -> Person:
    columns_ = {EXTERNAL: external, EMAIL: email, ANONYMOUS: anonymous}
    return Person(id=contact_id, columns=columns_, first_seen_at=seen)


def lock_numbers(keys: Iterable[Key]) -> str:
    """Return the numbers of the locks of these keys in their order, as the functions of the database take them."""
    return array(sorted({lock_number(kind, value) for kind, value in keys}))
