"""Who is in a bucket now: counted, asked for by key, page by page, one by one. Errors of the database are raised."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from conditions.tree import storable

MOST = 100
FIRST = UUID(int=0)
# Deletion ends all stays in its own transaction, so the index alone knows how many of the living are in.
COUNT = "select count(*) from buckets_bucketmembership m where m.bucket_id = %s and m.status = 'active'"
HAS = """
    select exists(
        select from buckets_bucketmembership m
        where m.bucket_id = %s and m.status = 'active'
          and m.contact_id = (contacts_find(array['external', 'anonymous'], array[%s, %s]) #>> '{0,0}')::uuid)"""
PAGE = """
    select m.id, coalesce(c.external_id, c.anonymous_id, c.id::text), c.email, m.entered_at, m.entry_number
    from buckets_bucketmembership m
    cross join lateral (select * from contacts_contact c
                        where c.id = m.contact_id and c.deleted_at is null offset 0) c
    where m.bucket_id = %s and m.status = 'active' and m.id > %s
    order by m.id limit %s"""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is in a bucket; ``id`` names the stay, ``user_id`` the person as events do."""

    id: UUID
    user_id: str
    email: str | None
    entered_at: datetime
    entry_count: int


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Some members, how many there are in all, and the cursor of the next page, if there is one."""

    members: list[Member]
    count: int
    cursor: UUID | None


def count_members(bucket_id: str) -> int:
    """Return how many people are in."""
    return int(_rows(COUNT, [bucket_id])[0][0])


def has_member(bucket_id: str, user_id: str) -> bool:
    """Say whether the person is in whom a user id, anonymous id or our own id means, after merges the survivor."""
    key = user_id.strip()
    return bool(key) and storable(key) and bool(_rows(HAS, [bucket_id, key, key])[0][0])


def members_page(bucket_id: str, *, limit: int, cursor: UUID | str | None) -> MembersPage:
    """Return one page, the earliest stays first. Raises ValueError for a limit or a cursor that makes no sense."""
    if limit < 1:
        raise ValueError(f"A page of members cannot hold {limit}; ask for 1 to {MOST}.")
    members, following = _page(bucket_id, min(limit, MOST), _after(cursor))
    return MembersPage(members, count_members(bucket_id), following)


def each_member(bucket_id: str, *, page_size: int) -> Iterator[Member]:
    """Give every member once, the earliest stays first; ``page_size`` of them are fetched at a time."""
    if page_size < 1:
        raise ValueError(f"Members cannot be fetched {page_size} at a time; ask for 1 or more.")
    return _each(bucket_id, page_size)


def _each(bucket_id: str, page_size: int) -> Iterator[Member]:
    cursor: UUID | None = FIRST
    while cursor is not None:
        members, cursor = _page(bucket_id, page_size, cursor)
        yield from members


def _page(bucket_id: str, size: int, after: UUID) -> tuple[list[Member], UUID | None]:
    """Look for one more than asked for: it tells whether there is a next page."""
    found = [Member(*row) for row in _rows(PAGE, [bucket_id, after, size + 1])]
    return found[:size], found[size - 1].id if len(found) > size else None


def _after(cursor: UUID | str | None) -> UUID:
    if cursor is None:
        return FIRST
    try:
        return cursor if isinstance(cursor, UUID) else UUID(cursor)
    except ValueError:
        raise ValueError(f"{cursor!r} is no cursor; give the one of the page before, or none.") from None


def _rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
