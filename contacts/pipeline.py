"""Server-side statements, sent several at a time, inside Django's transaction and under Django's exceptions."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.pq import PipelineStatus

# Small or young tables have statistics which make a scan look cheap; every look-up sent through here is an index probe.
# Up to PostgreSQL 17 a plan that scans all the same looks so dear then that it would be compiled, for 100 ms each time.
PROBE = """
    select set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
           set_config('jit', 'off', true)"""


class Pipeline:
    """Statements on their way: results are fetched after several have been sent, in one round trip."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw

    def send(self, sql: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """Send one statement; fetching from the cursor waits for its result."""
        return psycopg.Cursor(self._raw).execute(sql.encode(), parameters)


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    """Open a pipeline on the present connection, or join the one that is open.

    Errors of the database come out as django.db's. Django's own cursors bind on the client and cannot
    be pipelined, so nothing of the ORM may run inside the block.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw: psycopg.Connection[Any] = connection.connection
    if raw.pgconn.pipeline_status != PipelineStatus.OFF:
        yield Pipeline(raw)
        return
    with connection.wrap_database_errors, raw.pipeline():
        opened = Pipeline(raw)
        opened.send(PROBE)
        yield opened


def columns(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Turn rows into the arrays that unnest takes."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Iterable[Any]) -> str:
    """Write a PostgreSQL array: several times cheaper than letting the driver inspect and adapt each element."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bytes):
        return '"\\\\x' + value.hex() + '"'
    return f'"{value}"'
