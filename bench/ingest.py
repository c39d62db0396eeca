"""POST /v1/events and /v1/events/batch: requests per second, latency and processor time per event."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from bench import processes, stage

BATCH = 500
_serial = count()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    people: int
    connections: int
    events_per_second: float
    p50_ms: float
    p99_ms: float
    app_ms: float
    database_ms: float


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


WORK: list[tuple[str, Callable[[int, int], list[bytes]], int, str, int]] = [
    ("pool", _pool, 1, "/v1/events", 1),
    ("pool", _pool, 16, "/v1/events", 1),
    ("pool", _pool, 64, "/v1/events", 1),
    ("new people", _new, 16, "/v1/events", 1),
    ("duplicate keys", _duplicate, 16, "/v1/events", 1),
    ("user.created, enrolled", _created, 16, "/v1/events", 1),
    (f"batch of {BATCH}, pool", _batches, 2, "/v1/events/batch", BATCH),
]


@dataclass(frozen=True)
class Shot:
    """What is fired at which server."""

    work: str
    people: int
    port: int
    key: str
    connections: int
    bodies: list[bytes]
    path: str = "/"
    weight: int = 1  # events per request


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure every kind of work with each number of known people, then the floors."""
    with stage.engines() as engines:
        key = _prepared_database()
        database = [engine.child.pid for engine in engines if engine.variable == "DATABASE_URL" and engine.child]
        for people in sizes:
            with stage.served("hogsend.wsgi:application") as (port, web):
                _fill(port, key, people)
                for work, make, connections, path, weight in WORK:
                    bodies = make(people, int(seconds * 6000))
                    shot = Shot(work, people, port, key, connections, bodies, path, weight)
                    yield _measure(shot, seconds, web=web, database=database)
        with stage.served("bench.floor:application") as (port, web):
            for connections in (1, 16, 64):
                shot = Shot("floor: 202 at once", 0, port, key, connections, _pool(1000, int(seconds * 20000)))
                yield _measure(shot, seconds, web=web, database=[])
        yield _insert_floor(sizes[-1])


def _measure(shot: Shot, seconds: float, *, web: int, database: list[int]) -> Row:
    def spent() -> tuple[float, float]:
        return processes.cpu_seconds(web), sum(processes.cpu_seconds(pid) for pid in database)

    before = spent()
    got = stage.shoot(
        port=shot.port,
        path=shot.path,
        key=shot.key,
        bodies=shot.bodies,
        connections=shot.connections,
        seconds=seconds,
    )
    after = spent()
    if set(got["statuses"]) - {"202", "200"}:
        raise RuntimeError(f"{shot.work}: unexpected answers {got['statuses']}")
    events = got["requests"] * shot.weight
    app_ms, database_ms = ((late - early) * 1000 / events for early, late in zip(before, after, strict=True))
    rate = got["per_second"] * shot.weight
    return Row(shot.work, shot.people, shot.connections, rate, got["p50_ms"], got["p99_ms"], app_ms, database_ms)


def _prepared_database() -> str:
    import django  # noqa: PLC0415 - settings may only be read once the engines run

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - after setup

    from hogsend.api.keys import create_key  # noqa: PLC0415 - after setup

    call_command("migrate", verbosity=0)
    return create_key(name="bench", scopes=["ingest"])[1]


def _fill(port: int, key: str, people: int) -> None:
    bodies = [
        json.dumps(
            [_event(f"pool-{n}", email=f"pool-{n}@example.com") for n in range(start, min(start + BATCH, people))]
        ).encode()
        for start in range(0, people, BATCH)
    ]
    stage.shoot(port=port, path="/v1/events/batch", key=key, bodies=bodies, connections=2, seconds=600)


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
