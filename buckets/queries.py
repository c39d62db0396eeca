"""What is known of a bucket, and who would be in one with any criteria."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from buckets.definitions import belonging
from buckets.models import BucketConfig
from buckets.rules import faults_of_criteria
from conditions.durations import in_words, milliseconds
from conditions.property import PropertyCondition
from conditions.tree import Node, quoted

PATIENCE = timedelta(seconds=20)
# Everybody is looked at, so the planner chooses freely, also inside a transaction whose statements probe.
FREELY = """
    select set_config('statement_timeout', %s, true), set_config('enable_seqscan', 'on', true),
           set_config('plan_cache_mode', 'auto', true), set_config('jit', 'off', true)"""
LIVING = "select c.id from contacts_contact c where c.deleted_at is null"


@dataclass(frozen=True, slots=True)
class Sampled:
    """Somebody who would be in, with those of their properties at which the criteria look."""

    id: UUID
    user_id: str
    email: str | None
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What criteria would make of a bucket now.

    Attributes:
        size: How many people would be in, of ``people_total``.
        is_estimate: Counting took too long, so both numbers are only what the planner expects.
        sample: The newest of them.
        cost: What the planner expects finding them to cost, in its own units.
        took: How long finding them took.
        faults: Why no bucket can have these criteria; empty for those of a declared bucket.
        note: What else there is to know, as a sentence; empty: nothing.
    """

    size: int
    people_total: int
    cost: float
    plan_lines: list[str]
    in_words: str = ""
    faults: list[str] = field(default_factory=list)
    sample: list[Sampled] = field(default_factory=list)
    took: timedelta = timedelta(0)
    is_estimate: bool = True
    note: str = ""


def preview(node: Node, *, now: datetime, sample: int = 10, timeout: timedelta = PATIENCE) -> Preview:
    """Say how many people would be in a bucket with these criteria at ``now``, and name the newest few.

    Nothing can be written by it, and it is stopped after ``timeout``.
    """
    criteria = belonging(node)
    # The instant as a literal: the planner knows how many events are younger.
    inside = f"{LIVING} and ({criteria.sql(f'{quoted(now.isoformat())}::timestamptz')})"
    expected = _expected(inside)
    expected = replace(expected, in_words=criteria.in_words(), faults=list(faults_of_criteria(node)))
    began = perf_counter()
    try:
        with _reading(timeout) as cursor:
            rows = _all(cursor, _found(inside, max(sample, 0)))
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        note = f"Counting was stopped after {in_words(timeout)}; the numbers are what the planner expects."
        return replace(expected, took=timedelta(seconds=perf_counter() - began), note=note)
    took = timedelta(seconds=perf_counter() - began)
    found = _sampled(criteria, rows)
    return replace(expected, size=rows[0][0], people_total=rows[0][1], is_estimate=False, took=took, sample=found)


def config_of(bucket_id: str) -> BucketConfig:
    """Return what staff switched and whose criteria its members follow; as for a new bucket if nothing is stored."""
    return BucketConfig.objects.filter(pk=bucket_id).first() or BucketConfig(bucket_id=bucket_id)


@contextmanager
def _reading(timeout: timedelta) -> Iterator[CursorWrapper]:
    """Open a transaction, or a part of one, that can only read, and take back its settings at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("set transaction read only")
            cursor.execute(FREELY, [str(max(milliseconds(timeout), 1))])
            yield cursor
        transaction.set_rollback(True)


def _found(inside: str, sample: int) -> str:
    """Write the statement that counts and samples at one moment; it has one row even if nobody is found."""
    return f"""
        with inside as materialized ({inside})
        select (select count(*) from inside), (select count(*) from ({LIVING}) everybody),
               s.id, coalesce(s.external_id, s.anonymous_id, s.id::text), s.email, s.properties::json
        from (values (1)) one
        left join lateral (select c.* from (select id from inside order by id desc limit {sample}) newest
                           join contacts_contact c on c.id = newest.id) s on true
        order by s.id desc"""  # noqa: S608 - quoted by the conditions


def _expected(inside: str) -> Preview:
    """Return what the planner expects, before anything is counted."""
    with _reading(PATIENCE) as cursor:
        plan, everybody = (_all(cursor, f"explain (format json) {sql}")[0][0][0]["Plan"] for sql in (inside, LIVING))
        lines = [line for (line,) in _all(cursor, f"explain {inside}")]
    total = int(everybody["Plan Rows"])
    return Preview(min(int(plan["Plan Rows"]), total), total, cost=float(plan["Total Cost"]), plan_lines=lines)


def _all(cursor: CursorWrapper, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)  # without values: the criteria may hold per cent signs
    return list(cursor.fetchall())


def _sampled(criteria: Node, rows: list[tuple[Any, ...]]) -> list[Sampled]:
    wanted = {leaf.property for leaf in criteria.leaves() if isinstance(leaf, PropertyCondition)}
    return [
        Sampled(contact_id, user_id, email, {name: properties[name] for name in sorted(wanted & set(properties))})
        for _, _, contact_id, user_id, email, properties in rows
        if contact_id is not None
    ]
