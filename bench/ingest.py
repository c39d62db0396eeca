"""POST /v1/events and /v1/events/batch: requests per second, latency and processor time per event."""

import json
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from bench import stage
from bench.measure import Row, Shot, Spenders, Work, measure
from hogsend.embedded.engines import Engine

BATCH = 500
_serial = count()


def _event(person: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "page.viewed",
        "userId": person,
        "eventProperties": {"path": "/pricing", "n": next(_serial)},
        **more,
    }


def _pool(people: int, wanted: int) -> list[bytes]:
    return [json.dumps(_event(f"pool-{number * 7919 % people}")).encode() for number in range(wanted)]


def _new(people: int, wanted: int) -> list[bytes]:
    del people
    return [
        json.dumps(_event(f"new-{next(_serial)}", email=f"new-{next(_serial)}@example.com")).encode()
        for _ in range(wanted)
    ]


def _duplicate(people: int, wanted: int) -> list[bytes]:
    body = [json.dumps(_event(f"pool-{n % people}", idempotencyKey=f"same-{n % 500}")).encode() for n in range(500)]
    return [body[number % 500] for number in range(wanted)]


def _created(people: int, wanted: int) -> list[bytes]:
    del people
    return [
        json.dumps(
            {**_event(f"born-{next(_serial)}", email=f"born-{next(_serial)}@example.com"), "name": "user.created"}
        ).encode()
        for _ in range(wanted)
    ]


def _batches(people: int, wanted: int) -> list[bytes]:
    return [
        json.dumps([_event(f"pool-{(number * BATCH + n) * 7919 % people}") for n in range(BATCH)]).encode()
        for number in range(max(wanted // BATCH, 8))
    ]


def _joined(people: int, wanted: int) -> list[bytes]:
    """Visitors who are known a moment later: each second event merges two people."""
    del people
    bodies = []
    for _ in range(wanted // 2):
        n = next(_serial)
        bodies += [
            _event("", anonymousId=f"visit-{n}"),
            _event(f"join-{n}", anonymousId=f"visit-{n}", email=f"join-{n}@example.com"),
        ]
        bodies[-2]["userId"] = None
    return [json.dumps(body).encode() for body in bodies]


def _judged(people: int, wanted: int) -> list[bytes]:
    """Events that buckets count: people are judged by each, and mostly stay where they are."""
    return [
        json.dumps({**_event(f"pool-{n * 7919 % people}"), "name": "order.completed"}).encode() for n in range(wanted)
    ]


def _listed(people: int, wanted: int) -> list[bytes]:
    """Events that also change a list."""
    return [
        json.dumps(_event(f"pool-{n * 7919 % people}", lists={"product-updates": n % 2 == 0})).encode()
        for n in range(wanted)
    ]


WORK = [
    Work("pool", _pool, 1, "/v1/events"),
    Work("pool", _pool, 16, "/v1/events"),
    Work("pool", _pool, 64, "/v1/events"),
    Work("new people", _new, 16, "/v1/events"),
    Work("duplicate keys", _duplicate, 16, "/v1/events"),
    Work("user.created, enrolled", _created, 16, "/v1/events"),
    Work("visitors who become known", _joined, 16, "/v1/events"),
    Work("events with lists", _listed, 16, "/v1/events"),
    Work("events in four buckets and a journey", _judged, 16, "/v1/events"),
    Work(f"batch of {BATCH}, pool", _batches, 2, "/v1/events/batch", BATCH),
]


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure every kind of work with each number of known people, then the floors."""
    with stage.engines() as engines:
        yield from measured(WORK, (1, 16, 64), engines, seconds=seconds, sizes=sizes)
        yield _insert_floor(sizes[-1])


def measured(
    works: Sequence[Work],
    floors: Sequence[int],
    engines: list[Engine],
    *,
    seconds: float,
    sizes: tuple[int, ...],
) -> Iterator[Row]:
    """Measure ``works`` on a fresh database with each number of known people, then the bare server at ``floors``."""
    key, database = stage.prepared_database(), stage.database_processes(engines)
    for people in sizes:
        with stage.served("hogsend.wsgi:application") as (port, web):
            fill(port, key, people)
            for work in works:
                yield measure(work.shot(people, port, key, seconds=seconds), seconds, Spenders(web, database))
    with stage.served("bench.floor:application") as (port, web):
        for connections in floors:
            shot = Shot("floor: 202 at once", 0, port, key, connections, _pool(1000, int(seconds * 20000)))
            yield measure(shot, seconds, Spenders(web, []))


def fill(port: int, key: str, people: int) -> None:
    """Make so many people known, by events."""
    bodies = [
        json.dumps(
            [_event(f"pool-{n}", email=f"pool-{n}@example.com") for n in range(start, min(start + BATCH, people))]
        ).encode()
        for start in range(0, people, BATCH)
    ]
    stage.shoot(Shot("fill", people, port, key, 2, bodies, "/v1/events/batch"), seconds=600)


def _insert_floor(people: int) -> Row:
    """One set-based insert of the same rows into a table with the same indexes, nothing else."""
    from django.db import connection  # noqa: PLC0415 - after setup

    from hogsend.lib.ids import new_id  # noqa: PLC0415 - after setup

    with connection.cursor() as cursor:
        cursor.execute("create table floor_events (like events_event including all)")
        cursor.execute("select id from contacts_contact limit %s", [people])
        contacts = [row[0] for row in cursor.fetchall()]
        inserted, start, processor = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < 2:
            ids = [new_id() for _ in range(BATCH)]
            owners = [contacts[(inserted + n) * 7919 % len(contacts)] for n in range(BATCH)]
            cursor.execute(
                "insert into floor_events (id, contact_id, name, properties, hop, occurred_at, received_at)"
                ' select i, c, \'page.viewed\', \'{"path":"/pricing","n":1}\', 0, now(), now()'
                " from unnest(%s::uuid[], %s::uuid[]) u(i, c)",
                [ids, owners],
            )
            inserted += BATCH
        spent = time.perf_counter() - start
        app_ms = (time.process_time() - processor) * 1000 / inserted
        cursor.execute("drop table floor_events")
    return Row(
        f"floor: insert of {BATCH}", people, 1, inserted / spent, spent * 1000 / (inserted / BATCH), 0.0, app_ms, 0.0
    )
