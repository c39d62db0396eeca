"""Idempotency keys: who claims one first does the work, everybody after that is told what the key stands for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from contacts.pipeline import columns, pipeline

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


def claim_keys(claims: Sequence[Claim], *, now: datetime) -> dict[UUID, Taken]:
    """Claim what is free, and return the claims that came too late by the id they asked for.

    Of equal keys the first claim wins. A key that another transaction has just claimed is waited for: it is free again
    if that transaction fails.
    """
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


def forget_answers(rows: Collection[tuple[UUID, datetime]]) -> int:
    """Forget the keys that stand for these rows, given as id and time of creation; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [[row_id for row_id, _ in rows], [created_at for _, created_at in rows]])
        return int(cursor.rowcount)
