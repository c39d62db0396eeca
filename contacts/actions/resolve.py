"""Find or create the people behind keys, many at once."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from contacts import statements
from contacts.pipeline import Pipeline, array, call, columns_or_none, pipeline
from contacts.rules import (
    ANONYMOUS,
    EMAIL,
    EXTERNAL,
    Directory,
    Key,
    Keys,
    MergeNeededError,
    Person,
    Policy,
    lock_number,
)
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

Patch = Mapping[str, Any]

TRIES, PAUSE = 10, 0.005


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """By which keys somebody came, when, if that is not now, and what was said about them."""

    keys: Keys
    patch: Patch | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom a request meant, and whether that person was unknown until now.

    ``email`` is where mail to them goes, and ``of_others`` are the keys of the request that belong to somebody else.
    """

    contact_id: UUID
    created: bool
    email: str | None = None
    of_others: tuple[Key, ...] = ()


@dataclass(slots=True)
class _Touched:
    person: Person
    patch: dict[str, Any]
    seen_at: datetime

    @property
    def earlier(self) -> bool:
        """Whether this person was seen before we knew them."""
        first = self.person.first_seen_at
        return first is not None and self.seen_at < first


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
        pipe.send(statements.LOCK_KEYS, [_numbers(keys)])


def lock_contacts(ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Hold the locks of these people until the transaction ends, and return under which id each of them lives.

    Somebody who was merged lives under the survivor's id, which is locked as well; the deleted are missing. Raises
    OperationalError when it had to wait out of turn: whoever calls begins the transaction again.
    """
    asked = array(set(ids))
    with transaction.atomic(savepoint=False), pipeline() as pipe:
        locking = pipe.send(statements.LOCK_SURVIVORS, [asked])
        reading = pipe.send(statements.READ_SURVIVORS, [asked, None])
        held = {row[0] for row in locking.fetchall()}
        while True:
            alive = {row[0]: row[1] for row in reading.fetchall()}
            if not (wanted := set(alive.values()) - held):
                return alive
            lock_more(pipe, wanted, held=held)
            held |= wanted
            reading = pipe.send(statements.READ_SURVIVORS, [asked, None])


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


def resolve_contacts(
    requests: Sequence[ContactRequest], *, now: datetime, policy: Policy | None = None
) -> list[Resolved]:
    """Find or create the person of each request, in order, and keep every key and property that came with it.

    A request behaves as if it came alone after the ones before it. Keys of people who stay apart stay where they are:
    the request goes to the owner of the user id or to the most identified of them, and a KeyConflict is recorded.
    Raises MergeNeededError, and nothing is written, when a request names people who are one: those before it can be
    resolved, and it alone after ``merge_owners``. Simultaneous calls with common keys wait for each other, so one
    person is never created twice.
    """
    with transaction.atomic(savepoint=False):
        facts = lock_and_read([key for request in requests for key in request.keys.pairs()], now)
        return resolve_among(facts, requests, now=now, policy=policy)


def resolve_among(
    facts: Facts, requests: Sequence[ContactRequest], *, now: datetime, policy: Policy | None = None
) -> list[Resolved]:
    """Do as ``resolve_contacts``, with what has been read under the locks of all the keys and their owners."""
    directory = Directory(owners=facts.owners, policy=policy or standard_policy())
    touched: dict[UUID, _Touched] = {}
    resolved = [_place(position, request, directory, touched, now) for position, request in enumerate(requests)]
    _write(directory, touched.values(), facts.stale, now)
    return resolved


def standard_policy() -> Policy:
    """Return who may become one as HOGSEND_MERGE_IDENTIFIED has it."""
    return Policy(merge_identified=settings.HOGSEND_MERGE_IDENTIFIED)


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
    return _numbers(pairs), kinds, values


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


def _place(
    position: int, request: ContactRequest, directory: Directory, touched: dict[UUID, _Touched], now: datetime
) -> Resolved:
    try:
        person = directory.place(request.keys, new_id)
    except MergeNeededError:
        raise MergeNeededError(position) from None
    created = person.is_new and person.id not in touched
    seen = touched.setdefault(person.id, _Touched(person, {}, now))
    seen.seen_at = min(seen.seen_at, request.seen_at or now)
    if request.patch:
        seen.patch.update(request.patch)
    others = tuple(key for key in request.keys.pairs() if directory.owners[key] is not person)
    return Resolved(person.id, created, person.columns.get(EMAIL), others)


def _write(directory: Directory, touched: Collection[_Touched], stale: set[UUID], now: datetime) -> None:
    new = [_contact_row(one) for one in touched if one.person.is_new]
    keys = [(kind, value, person.id) for (kind, value), person in directory.gained.items()]
    known = [
        (*_contact_row(one), one.person.filled, one.person.id in stale)
        for one in touched
        if not one.person.is_new and (one.person.filled or one.patch or one.earlier or one.person.id in stale)
    ]
    conflicts = [
        (new_id(), one.contact_id, one.other_id, one.kind, one.value, times)
        for one, times in Counter(directory.conflicts).items()
    ]
    write_rows(new=new, keys=keys, known=known, conflicts=conflicts, now=now)
    if conflicts:
        log.info("contacts.keys_conflict", count=len(directory.conflicts))


def write_rows(
    *,
    new: Sequence[tuple[Any, ...]] = (),
    keys: Sequence[tuple[Any, ...]] = (),
    known: Sequence[tuple[Any, ...]] = (),
    conflicts: Sequence[tuple[Any, ...]] = (),
    now: datetime,
) -> None:
    """Write rows as contacts_write takes them, if there are any."""
    if new or keys or known or conflicts:
        arrays = (columns_or_none(rows, number) for rows, number in ((new, 6), (keys, 3), (known, 8), (conflicts, 6)))
        call(statements.WRITE, [now.isoformat(), *chain.from_iterable(arrays)])


def _contact_row(one: _Touched) -> tuple[Any, ...]:
    names = one.person.columns
    patch = patch_json(one.patch)
    return (one.person.id, names.get(EXTERNAL), names.get(EMAIL), names.get(ANONYMOUS), patch, one.seen_at)


def patch_json(patch: Patch) -> str | None:
    """Write a patch as contacts_write takes it; None for one that says nothing."""
    return msgspec.json.encode(patch).decode() if patch else None


def _numbers(keys: Iterable[Key]) -> str:
    return array(sorted({lock_number(kind, value) for kind, value in keys}))
