"""Idempotency keys: who claims one first does the work, everybody after that is told what the key stands for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from contacts.pipeline import call, columns, columns_or_none
from events.definitions import Exit

CLAIM = "select events_claim($1, $2, $3, $4, $5)"  # events/migrations/0004
REMEMBER = "select events_remember($1, $2, $3)"
# A key is as old as the row it stands for, which makes the index on its age a way to it.
FORGET = """
    delete from events_idempotencykey where id in (
        select k.id from unnest(%s::uuid[], %s::timestamptz[]) u(answer, created_at)
        cross join lateral (select k.id, k.answer from events_idempotencykey k
                            where k.created_at = u.created_at offset 0) k
        where k.answer = u.answer)"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key that somebody asks for: ``answer`` is the id of the row it stands for."""

    scope: str
    key: str
    fingerprint: bytes
    answer: UUID


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim that came too late: what the key stands for already, and whose event that is, if it is one."""

    fingerprint: bytes
    answer: UUID
    contact_id: UUID | None
    exits: tuple[Exit, ...] = ()


class _Lost(msgspec.Struct, array_like=True):
    """A claim that came too late, as events_claim writes it; null for a key that has just been forgotten."""

    claim: UUID
    fingerprint: str | None
    answer: UUID | None
    contact_id: UUID | None
    exits: tuple[Exit, ...] | None


_lost = msgspec.json.Decoder(list[_Lost])


def claim_keys(claims: Sequence[Claim], *, now: datetime) -> dict[UUID, Taken]:
    """Claim what is free, and return the claims that came too late by the id they asked for.

    Of equal keys the first claim wins. A key that another transaction has just claimed is waited for: it is free again
    if that transaction fails.
    """
    if not claims:
        return {}
    return taken_of(claims, call(CLAIM, [*asked_for(claims), now.isoformat()]))


def remember(exits: Mapping[tuple[str, str], Sequence[Exit]]) -> None:
    """Keep for those who repeat a request, given by scope and key, which runs it was told of."""
    if exits:
        rows = [(scope, key, msgspec.json.encode(told).decode()) for (scope, key), told in exits.items()]
        call(REMEMBER, columns(rows))


def asked_for(claims: Sequence[Claim]) -> list[str]:
    """Return the claims as events_claim takes them: scopes, keys, fingerprints and answers; of equal keys the first."""
    rows = [(one.scope, one.key, one.fingerprint, one.answer) for one in _first(claims).values()]
    return columns_or_none(rows, 4)


def taken_of(claims: Sequence[Claim], answer: bytes) -> dict[UUID, Taken]:
    """Return the claims that came too late, from what events_claim has answered."""
    first = _first(claims)
    lost = {row.claim: row for row in _lost.decode(answer)}
    found: dict[UUID, Taken] = {}
    for one in claims:
        winner = first[one.scope, one.key]
        if row := lost.get(winner.answer):
            # A key may have been forgotten this very moment; the request still repeats it.
            print_ = one.fingerprint if row.fingerprint is None else bytes.fromhex(row.fingerprint)
            found[one.answer] = Taken(print_, row.answer or one.answer, row.contact_id, row.exits or ())
        elif winner is not one:
            found[one.answer] = Taken(winner.fingerprint, winner.answer, None)
    return found


def _first(claims: Sequence[Claim]) -> dict[tuple[str, str], Claim]:
    return {(one.scope, one.key): one for one in reversed(claims)}


def forget_answers(rows: Collection[tuple[UUID, datetime]]) -> int:
    """Forget the keys that stand for these rows, given as id and time of creation; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [[row_id for row_id, _ in rows], [created_at for _, created_at in rows]])
        return int(cursor.rowcount)
