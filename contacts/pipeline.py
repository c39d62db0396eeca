"""Server-side statements, sent several at a time, inside Django's transaction and under Django's exceptions."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

# Small or young tables have statistics which make a scan look cheap; every look-up sent through here is an index probe.
# Up to PostgreSQL 17 a plan that scans all the same looks so dear then that it would be compiled, for 100 ms each time.
PROBE = "select contacts_probe()"  # contacts/migrations/0003


class Pipeline:
    """Statements on their way: results are fetched after several have been sent, in one round trip."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw

    def send(self, sql: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """Send one statement; fetching from the cursor waits for its result."""
        return psycopg.Cursor(self._raw).execute(sql.encode(), parameters)


def call(sql: str, parameters: Sequence[str | None]) -> bytes:
    """Call a function of the database, with $1 and so on, and return its one value as it is written in text.

    Goes past the driver's cursors, which cost more than the statement itself. Errors come out as django.db's.
    """
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    values = [None if value is None else value.encode() for value in parameters]
    with connection.wrap_database_errors:
        # These two let other threads run while they wait.
        if not raw.autocommit and raw.pgconn.transaction_status == TransactionStatus.IDLE:
            _good(raw.pgconn.exec_(b"begin"))
        return _good(raw.pgconn.exec_params(sql.encode(), values)).get_value(0, 0) or b""


def _good(result: PGresult) -> PGresult:
    if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        if result.error_field(DiagnosticField.SQLSTATE) is None:  # not the server's word: it is gone
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)
    return result


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    """Open a pipeline on the present connection, or join the one that is open.

    Errors of the database come out as django.db's. Django's own cursors bind on the client and cannot
    be pipelined, so nothing of the ORM may run inside the block.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw: psycopg.Connection[Any] = connection.connection
    opened = Pipeline(raw)
    if raw.pgconn.pipeline_status != PipelineStatus.OFF:
        yield opened
        return
    with connection.wrap_database_errors, raw.pipeline():
        opened.send(PROBE)
        yield opened


def columns(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Turn rows, of which there is at least one, into the arrays that unnest takes."""
    return [array(column) for column in zip(*rows, strict=True)]


def columns_or_none(rows: Sequence[Sequence[Any]], number: int) -> list[str]:
    """Turn rows into so many arrays, which are empty when there is no row."""
    return columns(rows) if rows else ["{}"] * number


def array(values: Iterable[Any]) -> str:
    """Write a PostgreSQL array: several times cheaper than letting the driver inspect and adapt each element."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if isinstance(value, UUID):
        return value.hex  # several times faster than with its dashes
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bytes):
        return '"\\\\x' + value.hex() + '"'
    return f'"{value}"'
