"""The routes of contacts and lists: requests per second, latency and processor time per request."""

import json
from collections.abc import Iterator
from itertools import count

from bench import stage
from bench.ingest import measured
from bench.measure import Row, Work

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


CONNECTIONS = 16
WORK = [
    Work("PUT, pool", _pool, CONNECTIONS, "/v1/contacts", method="PUT"),
    Work("PUT, new", _new, CONNECTIONS, "/v1/contacts", method="PUT"),
    Work("PUT, a third merge", _merging, CONNECTIONS, "/v1/contacts", method="PUT"),
    Work("GET find", _found, CONNECTIONS, "/v1/contacts/find", method="GET"),
    Work("GET lists", _lists, CONNECTIONS, "/v1/lists", method="GET"),
]


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure every route with each number of known people, then the floor: the bare server that answers at once."""
    with stage.engines() as engines:
        yield from measured(WORK, (CONNECTIONS,), engines, seconds=seconds, sizes=sizes)
