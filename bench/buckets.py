"""Buckets over everybody at once: backfill, the clock, dwells, verification, beside a hand-written INSERT … SELECT.

The milliseconds of a row are those of the whole work, its rate and processor times those of one person (of the tick:
of one tick). Everybody is judged by backfill and verification; two fifths of the people join by each.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import processes, stage
from bench.measure import Row

if TYPE_CHECKING:
    from buckets.definitions import Bucket

SIZES = (10_000, 100_000)
WEEK = timedelta(days=7)
TICKS = 40
# Ten events each: two fifths are gone for long, two fifths stop within the next hour, the others go on.
PEOPLE = """
    insert into contacts_contact (id, external_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
    select hogsend_uuid7(), 'bench-' || n, jsonb_build_object('n', n), %(now)s, %(now)s, %(now)s, %(now)s
    from generate_series(0, %(people)s - 1) n"""
EVENTS = """
    insert into events_event (id, contact_id, name, properties, hop, occurred_at, received_at)
    select hogsend_uuid7(), c.id, 'app.active', '{}', 0,
           %(now)s::timestamptz - interval '1 day' * k - case
               when (c.properties->>'n')::int %% 5 < 2 then interval '10 days'
               when (c.properties->>'n')::int %% 5 < 4
                   then interval '7 days' - interval '0.1 second' * ((c.properties->>'n')::int %% 36000)
               else interval '1 hour' end,
           %(now)s
    from contacts_contact c cross join generate_series(0, 9) k"""
EMPTY = (
    "truncate contacts_contact, events_event, buckets_bucketmembership, buckets_bucketconfig, buckets_windowedge,"
    " buckets_backfill, buckets_verification, events_idempotencykey cascade"
)
FLOOR_TABLES = """
    drop table if exists floor_membership, floor_event;
    create table floor_membership (like buckets_bucketmembership including all);
    create table floor_event (like events_event including all)"""
LAST = "(select contact_id, max(occurred_at) last from events_event where name = 'app.active' group by 1)"
FLOOR_MEMBERS = f"""
    insert into floor_membership (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason)
    select hogsend_uuid7(), c.id, 'b', 'active', 1, 'backfill', %(now)s, ''
    from contacts_contact c join {LAST} e on e.contact_id = c.id
    where c.deleted_at is null and e.last >= %(since)s and e.last < %(until)s"""
FLOOR_TOLD = f"""
    with came as ({FLOOR_MEMBERS} returning contact_id)
    insert into floor_event (id, contact_id, name, properties, hop, occurred_at, received_at)
    select hogsend_uuid7(), came.contact_id, 'bucket:entered:b', '{{"bucketId": "b"}}', 1, %(now)s, %(now)s from came"""


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure each work with each number of people; how long it takes is up to the work."""
    del seconds
    with stage.engines() as engines:
        stage.prepared_database()
        database = stage.database_processes(engines)
        for people in sizes:
            yield from _measured(people, database)


def _measured(people: int, database: list[int]) -> Iterator[Row]:
    # The product's modules may only be read once the engines run.
    from buckets.actions import follow, reconcile, run_backfill, verify  # noqa: PLC0415
    from hogsend.clock import database_now  # noqa: PLC0415
    from journeys.definitions import registry as journeys  # noqa: PLC0415

    now = database_now()
    _fill(people, now)
    clock = Clock(people, database)
    with _bucket() as bucket, journeys.scratch():
        yield clock.row("backfill", lambda: run_backfill(bucket, now=now).joined, of=people)
        ever, since = {"since": now - timedelta(days=999), "until": now - WEEK}, {"since": now - WEEK}
        yield clock.row("floor: insert of its members", lambda: _floor(FLOOR_MEMBERS, now, ever), of=people)
        follow(bucket, now=now)  # who has been gone for so long already is told of
        yield clock.ticks("tick, nothing due", lambda: follow(bucket, now=now))
        late = now + timedelta(hours=1)
        yield clock.row("turn dormant at once", lambda: reconcile(bucket, now=late).joined)
        floor = {**since, "until": late - WEEK}
        yield clock.row("floor: insert of members and events", lambda: _floor(FLOOR_TOLD, now, floor))
        yield clock.row("verify everybody", lambda: verify(bucket, clock=lambda: late).people)
        yield clock.row("dwells told at once", lambda: reconcile(bucket, now=late + timedelta(days=1)).told)
    with _bucket() as bucket, journeys.scratch():
        _fill(people, now)
        _journey()
        run_backfill(bucket, now=now)
        yield clock.row("turn dormant at once, enrolled", lambda: reconcile(bucket, now=late).joined)


class Clock:
    """Takes the time of works, and what they cost this process and the database."""

    def __init__(self, people: int, database: list[int]) -> None:
        self.people = people
        self.database = database

    def row(self, work: str, do: Callable[[], int], *, of: int | None = None) -> Row:
        """Do it once; it returns how many people it moved, of which there must be some."""
        app, server, wall = time.process_time(), self._server(), time.perf_counter()
        moved = do()
        wall = time.perf_counter() - wall
        app, server = time.process_time() - app, self._server() - server
        if not moved:
            raise RuntimeError(f"{work}: nobody was moved, so nothing was measured.")
        each = of or moved
        return Row(work, self.people, 1, each / wall, wall * 1000, 0, app * 1000 / each, server * 1000 / each)

    def ticks(self, work: str, tick: Callable[[], Any]) -> Row:
        """Do it many times, and return the middle and the slowest."""
        app, server, took = time.process_time(), self._server(), []
        for _ in range(TICKS):
            wall = time.perf_counter()
            tick()
            took.append((time.perf_counter() - wall) * 1000)
        app, server = time.process_time() - app, self._server() - server
        middle = median(took)
        each = 1000 / TICKS
        return Row(work, self.people, 1, 1000 / middle, middle, max(took), app * each, server * each)

    def _server(self) -> float:
        return sum(processes.cpu_seconds(pid) for pid in self.database)


def _fill(people: int, now: datetime) -> None:
    from django.db import connection  # noqa: PLC0415 - see above

    with connection.cursor() as cursor:
        cursor.execute(EMPTY)
        for statement in (PEOPLE, EVENTS):
            cursor.execute(statement, {"people": people, "now": now})
        cursor.execute("vacuum analyze contacts_contact, events_event")
        cursor.execute(FLOOR_TABLES)


def _floor(statement: str, now: datetime, span: dict[str, datetime]) -> int:
    from django.db import connection  # noqa: PLC0415 - see above

    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, **span})
        return int(cursor.rowcount)


class _bucket(ExitStack):  # noqa: N801 - a verb in a with statement
    """The bucket of those who have gone, alone in its registry."""

    def __enter__(self) -> "Bucket":  # type: ignore[override]
        from buckets.definitions import Bucket, registry  # noqa: PLC0415 - see above
        from conditions.event import event  # noqa: PLC0415 - see above

        super().__enter__()
        self.enter_context(registry.scratch())
        registry._items.clear()  # noqa: SLF001 - the samples are not measured
        gone = event("app.active").exists() & event("app.active").within(WEEK).never()
        bucket = Bucket("b", name="Gone", criteria=gone)
        bucket.on("dwell", _nothing, after=timedelta(days=1))
        return bucket


def _nothing(_user: Any, _ctx: Any) -> None:
    """Do nothing: runs are begun and not played here."""


def _journey() -> None:
    from journeys.definitions import journey  # noqa: PLC0415 - see above

    journey(id="bench", trigger="bucket:entered:b")(_nothing)
