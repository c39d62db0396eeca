"""The statements of buckets look people up by their indexes, whatever the statistics say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction

from buckets import statements
from buckets.actions import dwell
from buckets.definitions import Bucket, registry
from buckets.rules import Schedule
from conditions.event import event
from conditions.property import prop
from contacts.pipeline import PROBE

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TABLES = ("contacts_contact", "events_event", "buckets_bucketmembership")
ACTIVE = event("active")
TRIAL = prop("plan").eq("trial")
SHAPES = {
    "eq": TRIAL,
    "neq": prop("plan").neq("paid") & ACTIVE.exists(),
    "gt": prop("seats").gt(1),
    "gte": prop("seats").gte(1),
    "lt": prop("seats").lt(9),
    "lte": prop("seats").lte(9),
    "contains": prop("plan").contains("tri"),
    "known": prop("plan").exists(),
    "unknown": prop("plan").not_exists() & ACTIVE.exists(),
    "did": ACTIVE.exists(),
    "did lately": ACTIVE.within(DAY).exists(),
    "did not": ACTIVE.never() & TRIAL,
    "not lately": ACTIVE.within(DAY).never(),
    "at least": ACTIVE.at_least(3),
    "more than, lately": ACTIVE.within(DAY).more_than(2),
    "less than": ACTIVE.less_than(4),
    "at most, lately": ACTIVE.within(DAY).at_most(2),
    "exactly": ACTIVE.exactly(2),
    "exactly, lately": ACTIVE.within(DAY).exactly(2),
    "lapsed": ACTIVE.exists() & ACTIVE.within(7 * DAY).never(),
    "either": ACTIVE.within(DAY).exists() | TRIAL,
    "two events": ACTIVE.within(90 * DAY).exists() & event("paid").within(60 * DAY).never(),
    "nested": (TRIAL & (ACTIVE.at_least(2) | event("paid").exists())) | event("seen").within(HOUR).more_than(5),
}
POLICIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "shortest and longest stay": {"min_dwell": DAY, "max_dwell": 7 * DAY},
    "announced once in a while": {"entry_limit": "once_per_period", "entry_period": DAY},
    "mirrored": {"sync_to_posthog": True},
}
CROWD = """
    with people as (
        insert into contacts_contact (id, external_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
        select gen_random_uuid(), 'person-' || n, '{"plan": "trial"}', now(), now(), now(), now()
        from generate_series(1, %s) n
        returning id
    ),
    stays as (
        insert into buckets_bucketmembership
            (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason, leave_due_at,
             max_dwell_at)
        select hogsend_uuid7(), p.id, b, 'active', 1, 'event', now(), '', now() + interval '1 day' * random(),
               now() + interval '1 day' * random()
        from people p, unnest(array['b', 'other']) b
        returning id, bucket_id, entered_at
    ),
    dues as (
        insert into buckets_dwelldue (membership_id, bucket_id, label, due_at)
        select s.id, s.bucket_id, 'after-86400000', s.entered_at + interval '1 day' * random() from stays s
    )
    insert into events_event (id, contact_id, name, properties, hop, occurred_at, received_at)
    select gen_random_uuid(), p.id, name, '{}', 0, now() - interval '9 days' * random(), now()
    from people p, unnest(array['active', 'paid']) name"""


@dataclass(frozen=True)
class Scan:
    """How a plan gets at the rows of a table: by which condition on an index, empty if by none."""

    table: str
    condition: str

    def looks_up(self, *columns: str) -> bool:
        """Say whether each of the columns, or for one with ``|`` either, bounds what is read."""
        return all(re.search(rf"\b({column}) (=|<|>)", self.condition) for column in columns)


@pytest.fixture(params=["young tables", "some thousands of rows"])
def statistics(request: pytest.FixtureRequest) -> None:
    """Give the planner different ideas of how big the tables are."""
    with connection.cursor() as cursor:
        cursor.execute("truncate contacts_contact, events_event, buckets_bucketmembership, buckets_dwelldue cascade")
        if request.param != "young tables":
            cursor.execute(CROWD, [4000])
            cursor.execute("analyze contacts_contact, events_event, buckets_bucketmembership, buckets_dwelldue")


@pytest.fixture
def declare() -> Iterator[Any]:
    with registry.scratch():
        registry._items.clear()
        yield lambda criteria=TRIAL, **more: Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})


def scans(sql: str, *, probing: bool = True) -> list[Scan]:
    """Return how the plan that is kept for a statement gets at people, events and stays."""
    numbers = count(1)
    text = re.sub("%s", lambda _: f"${next(numbers)}", sql).replace("%%", "%")
    values = ", ".join(["null"] * (next(numbers) - 1))
    with transaction.atomic(), connection.cursor() as cursor:
        if probing:
            cursor.execute(PROBE)
        cursor.execute("set local plan_cache_mode = force_generic_plan")
        cursor.execute(f"prepare looked_at as {text}")
        cursor.execute(f"explain (format json) execute looked_at{f'({values})' if values else ''}")
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("deallocate looked_at")
        transaction.set_rollback(True)
    return [scan for scan in _scans(plan) if scan.table in TABLES]


def _scans(node: dict[str, Any]) -> Iterator[Scan]:
    if node["Node Type"].endswith("Scan") and "Relation Name" in node:
        bitmap = node["Node Type"] == "Bitmap Heap Scan"
        yield Scan(node["Relation Name"], node.get("Recheck Cond" if bitmap else "Index Cond", ""))
    for part in node.get("Plans", []):
        yield from _scans(part)


# What one person did and where they are, or what happened or falls due in a span of time; never a whole bucket.
BOUNDS = {
    "contacts_contact": (("id",),),
    "events_event": (("contact_id", "name"), ("name", "occurred_at")),
    "buckets_bucketmembership": (("id|contact_id",), ("leave_due_at|max_dwell_at",)),
}


def strays(found: list[Scan]) -> list[Scan]:
    """Return those that read more than the rows of one person, or of a span of time."""
    return [scan for scan in found if not any(scan.looks_up(*columns) for columns in BOUNDS[scan.table])]


def faults(statements: dict[str, str]) -> dict[str, list[Scan]]:
    """Return the strays of each statement that has any."""
    return {name: found for name, sql in statements.items() if (found := strays(scans(sql)))}


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize(
    "statement", [statements.judge, partial(statements.astray, limit=2000)], ids=["judge", "astray"]
)
def test_people_are_judged_by_look_ups_whatever_the_criteria(declare, statement):
    judging = {shape: statement(declare(criteria, id=f"b{n}")) for n, (shape, criteria) in enumerate(SHAPES.items())}
    assert faults(judging) == {}


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize("backfill", [False, True])
def test_people_are_judged_by_look_ups_whatever_the_policy(declare, backfill):
    schedules = (Schedule(DAY, repeats=False), Schedule(HOUR, repeats=True))
    judging = {
        policy: statements.judge(declare(SHAPES["lapsed"], id=f"b{n}", **more), backfill=backfill, schedules=schedules)
        for n, (policy, more) in enumerate(POLICIES.items())
    }
    assert faults(judging) == {}


@pytest.mark.usefixtures("statistics")
def test_every_table_that_the_criteria_need_is_in_the_plan(declare):
    found = {scan.table for scan in scans(statements.judge(declare(SHAPES["nested"])))}
    assert found == set(TABLES)


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize("statement", ["SLICE_END", "FALLEN_OUT"])
def test_the_clock_reads_only_the_events_that_fell_out_of_a_window(statement):
    [found] = scans(getattr(statements, statement))
    assert found.table == "events_event"
    assert found.looks_up("name", "occurred_at")


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize(("statement", "due"), [("DUE", "leave_due_at"), ("EXPIRED", "max_dwell_at")])
def test_the_clock_reads_only_the_stays_that_are_due(statement, due):
    [found] = scans(getattr(statements, statement))
    assert found.looks_up(due)


@pytest.mark.usefixtures("statistics")
def test_stays_that_end_or_last_are_looked_up(declare):
    mirrored = declare(sync_to_posthog=True)
    assert (
        faults(
            {
                "expire": statements.expire(mirrored),
                "close": statements.CLOSE,
                "lasted": dwell.LASTED,
                "fire": dwell.FIRE,
            }
        )
        == {}
    )


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize("statement", ["SEED", "STAMP"])
def test_new_times_are_given_to_the_stays_of_one_bucket(statement):
    [found] = scans(getattr(dwell, statement))
    assert found.looks_up("bucket_id")


@pytest.mark.usefixtures("statistics")
@pytest.mark.parametrize(
    "statement",
    [
        "select from contacts_contact c where c.properties -> 'plan' = %s",
        "select from contacts_contact c where c.last_seen_at > %s",
        "select count(*) from events_event e",
        "select from events_event e where e.name = %s",
        "select from buckets_bucketmembership m where m.bucket_id = %s",
    ],
)
def test_a_statement_that_reads_a_whole_table_or_bucket_is_found_out(statement):
    assert len(strays(scans(statement))) == 1


def test_without_the_settings_of_look_ups_small_tables_are_scanned(declare):
    with connection.cursor() as cursor:
        cursor.execute("truncate contacts_contact, events_event, buckets_bucketmembership cascade")
        cursor.execute(CROWD, [3])
        cursor.execute("analyze contacts_contact, events_event, buckets_bucketmembership")
    assert strays(scans(statements.judge(declare(SHAPES["lapsed"])), probing=False))
