"""The routes of contacts and lists: requests per second, latency and processor time per request."""

import json
from collections.abc import Callable, Iterator
from itertools import count

from bench import stage
from bench.ingest import fill
from bench.measure import Row, Shot, Spenders, measure

_serial = count()


def _pool(people: int, wanted: int) -> list[bytes]:
    return [
        json.dumps({"userId": f"pool-{n * 7919 % people}", "properties": {"plan": "pro", "n": next(_serial)}}).encode()
        for n in range(wanted)
    ]


def _new(people: int, wanted: int) -> list[bytes]:
    del people
    names = [f"put-{next(_serial)}" for _ in range(wanted)]
    return [
        json.dumps({"userId": name, "email": f"{name}@example.com", "properties": {"plan": "pro"}}).encode()
        for name in names
    ]


def _merging(people: int, wanted: int) -> list[bytes]:
    """An address, then the same address with the user id of somebody else: every second request merges."""
    del people
    bodies = []
    for _ in range(wanted // 3):
        name = f"both-{next(_serial)}"
        bodies += [{"email": f"{name}@example.com"}, {"userId": name}, {"userId": name, "email": f"{name}@example.com"}]
    return [json.dumps(body).encode() for body in bodies]


def _found(people: int, wanted: int) -> list[bytes]:
    return [f"email=pool-{n * 7919 % people}@example.com".encode() for n in range(wanted)]


def _lists(people: int, wanted: int) -> list[bytes]:
    del people
    return [b"all=1"] * wanted


WORK: list[tuple[str, Callable[[int, int], list[bytes]], str, str]] = [
    ("PUT, pool", _pool, "PUT", "/v1/contacts"),
    ("PUT, new", _new, "PUT", "/v1/contacts"),
    ("PUT, a third merge", _merging, "PUT", "/v1/contacts"),
    ("GET find", _found, "GET", "/v1/contacts/find"),
    ("GET lists", _lists, "GET", "/v1/lists"),
]
CONNECTIONS = 16


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure every route with each number of known people, then the floor: the bare server that answers at once."""
    with stage.engines() as engines:
        key = stage.prepared_database()
        database = stage.database_processes(engines)
        for people in sizes:
            with stage.served("hogsend.wsgi:application") as (port, web):
                fill(port, key, people)
                for work, make, method, path in WORK:
                    bodies = make(people, int(seconds * 6000))
                    shot = Shot(work, people, port, key, CONNECTIONS, bodies, path, method=method)
                    yield measure(shot, seconds, Spenders(web, database))
        with stage.served("bench.floor:application") as (port, web):
            shot = Shot("floor: 202 at once", 0, port, key, CONNECTIONS, _pool(1000, int(seconds * 20000)))
            yield measure(shot, seconds, Spenders(web, []))
