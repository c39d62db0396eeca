"""Find or create the people behind keys, many at once."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import transaction

from contacts import statements
from contacts.actions.lock import Facts, lock_and_read
from contacts.pipeline import call, columns_or_none
from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, Directory, Key, Keys, MergeNeededError, Person, Policy
from hogsend.lib.ids import new_id

log = structlog.get_logger(__name__)

Patch = Mapping[str, Any]


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


def resolve_contacts(
    requests: Sequence[ContactRequest], *, now: datetime, policy: Policy | None = None
) -> list[Resolved]:
    """Find or create the person of each request, in order, and keep every key and property that came with it.

    A request behaves as if it came alone after the ones before it. Keys of people who stay apart stay where they are:
    the request goes to the owner of the user id or to the most identified of them, and a KeyConflict is recorded.
    Raises MergeNeededError, and nothing is written, when a request names people who are one: those before it can be
    resolved, and it alone after ``merge_among``. Simultaneous calls with common keys wait for each other, so one
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
