"""Make people's properties in PostHog say what membership says.

There is one teller at a time, by a lock of the whole mirror: PostHog keeps what arrives last, so an older truth must
not overtake a newer one. While PostHog answers, the transaction holds that lock and no row.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from buckets import mirror
from buckets.definitions import index
from buckets.mirroring import pause
from contacts.pipeline import array, columns, pipeline
from hogsend.posthog import NotAcceptedError, tell_all

LIMIT = 500  # rows in one request
LOCK = "select pg_try_advisory_xact_lock(hashtextextended('buckets.mirror', 0))"
# What is due, and the truth in the same moment. Whoever was merged stands for the survivor. Somebody who was deleted is
# out, unless somebody new has come under the same id, which is all that PostHog knows.
DUE = """
    with recursive due as materialized (
        select m.id, m.xmin::text as version, m.attempts, m.bucket_id, m.contact_id, m.due_at
        from buckets_mirrordue m where m.due_at <= %s and m.bucket_id = any(%s::text[])
        order by m.due_at limit %s
    ),
    lives as (
        select d.contact_id as noted, d.contact_id as id from due d
        union
        select l.noted, c.merged_into_id
        from lives l cross join lateral (select * from contacts_contact c where c.id = l.id offset 0) c
        where c.merged_into_id is not null
    ),
    people as (
        select l.noted, c.id, c.deleted_at, coalesce(c.external_id, c.anonymous_id, c.id::text) as key
        from lives l cross join lateral (select * from contacts_contact c where c.id = l.id offset 0) c
        where c.merged_into_id is null
    )
    select d.id, d.version, d.attempts, d.bucket_id, p.key, exists (
        select from (
            select p.id where p.deleted_at is null
            union all
            select c.id from contacts_contact c where c.external_id = p.key and c.deleted_at is null
            union all
            select c.id from contacts_contact c
            where c.anonymous_id = p.key and c.external_id is null and c.deleted_at is null
        ) known
        cross join lateral (select from buckets_bucketmembership b
                            where b.bucket_id = d.bucket_id and b.contact_id = known.id and b.status = 'active'
                            offset 0) stay
    )
    from due d join people p on p.noted = d.contact_id
    order by d.due_at, d.id"""
# Whose truth has changed since is told again: every write gives the row another version. Rows that are being written
# are not waited for, which could wait in a circle.
UNCHANGED = """
    with unchanged as (
        select m.id, m.xmin::text as version from buckets_mirrordue m where m.id = any(%s::bigint[])
        for update skip locked
    )"""
FORGET = f"""{UNCHANGED}
    delete from buckets_mirrordue m using unchanged u, unnest(%s::bigint[], %s::text[]) s(id, version)
    where m.id = u.id and s.id = u.id and s.version = u.version"""  # noqa: S608 - both parts stand here
KEEP = f"""{UNCHANGED}
    update buckets_mirrordue m set attempts = m.attempts + 1, due_at = s.due_at, error = %s
    from unchanged u, unnest(%s::bigint[], %s::text[], %s::timestamptz[]) s(id, version, due_at)
    where m.id = u.id and s.id = u.id and s.version = u.version"""  # noqa: S608 - both parts stand here

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How many rows PostHog has taken, and how many have to be told again."""

    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Due:
    id: int
    version: str
    attempts: int
    bucket_id: str
    distinct_id: str
    inside: bool


def mirror_due(*, now: datetime, limit: int = LIMIT) -> Mirrored:
    """Tell PostHog the present truth of up to ``limit`` people and buckets whose membership has changed.

    Does nothing without POSTHOG_API_KEY, and while somebody else does it. What PostHog does not take is kept with the
    reason and told again after a pause. Whoever dies on the way is repeated by the next.
    """
    keys = {bucket.id: bucket.property_key for bucket in index().by_id.values() if bucket.sync_to_posthog}
    if not keys or not settings.POSTHOG_API_KEY:
        return Mirrored()
    started = time.monotonic()
    with transaction.atomic():
        due = _due(keys, now=now, limit=limit)
        told = tell_all(due, lambda part: mirror.tell(_truths(part, keys), now=now))
        later = now + timedelta(seconds=time.monotonic() - started)
        _forget(told.taken)
        if told.why is not None:
            _keep(told.refused, told.why, now=later)
            log.warning("buckets.not_mirrored", rows=len(told.refused), error=str(told.why))
    return Mirrored(len(told.taken), len(told.refused))


def _due(bucket_ids: Iterable[str], *, now: datetime, limit: int) -> list[_Due]:
    with pipeline() as pipe:
        if pipe.send(LOCK).fetchone() != (True,):
            return []
        rows = pipe.send(DUE, [now, array(bucket_ids), limit]).fetchall()
    return [_Due(*row) for row in rows]


def _truths(due: Sequence[_Due], keys: dict[str, str]) -> list[mirror.Truth]:
    people: dict[str, mirror.Truth] = {}
    for row in due:
        person = people.setdefault(row.distinct_id, mirror.Truth(row.distinct_id))
        (person.inside if row.inside else person.outside).add(keys[row.bucket_id])
    return list(people.values())


def _forget(taken: Sequence[_Due]) -> None:
    if taken:
        ids, versions = columns([(row.id, row.version) for row in taken])
        with pipeline() as pipe:
            pipe.send(FORGET, [ids, ids, versions])


def _keep(refused: Sequence[_Due], why: NotAcceptedError, *, now: datetime) -> None:
    again = [(row.id, row.version, now + pause(row.attempts + 1, asked=why.wait)) for row in refused]
    ids, versions, moments = columns(again)
    with pipeline() as pipe:
        pipe.send(KEEP, [ids, str(why), ids, versions, moments])
