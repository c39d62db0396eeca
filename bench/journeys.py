"""Runs from their beginning to their end: enrolled by events, one mail, one sleep, woken, completed; two workers.

The floor is what has to be written at least: the same rows, by one statement each for all runs, and each mail rendered.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench import processes, stage
from bench.measure import Row

SIZES = (1_000, 10_000)
WORKERS = 2
BATCH = 500
EMPTY = (
    "truncate contacts_contact, events_event, journeys_journeyrun, journeys_wakeup, emails_emailsend,"
    " events_idempotencykey cascade"
)
FLOOR_TABLES = """
    drop table if exists floor_run, floor_step, floor_send;
    create table floor_run (like journeys_journeyrun including all);
    create table floor_step (like journeys_journeystep including all);
    create table floor_send (like emails_emailsend including all)"""
FLOOR_RUNS = "insert into floor_run select * from journeys_journeyrun"
FLOOR_STEPS = "insert into floor_step select * from journeys_journeystep"
FLOOR_SENDS = "insert into floor_send select * from emails_emailsend"


def run(*, seconds: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Measure each part with each number of runs."""
    del seconds
    os.environ["EMAIL_BACKEND"] = "django.core.mail.backends.dummy.EmailBackend"
    with stage.engines() as engines:
        stage.prepared_database()
        _without_pool()
        database = stage.database_processes(engines)
        for runs in sizes:
            yield from _measured(runs, database)


def _measured(runs: int, database: list[int]) -> Iterator[Row]:
    from hogsend.authoring import hours, journey, send_email  # noqa: PLC0415 - settings are read once the engines run
    from journeys.definitions import registry  # noqa: PLC0415 - see above

    with registry.scratch():

        @journey(id="bench", trigger="bench.go", entry_limit="unlimited")
        def bench(user: Any, ctx: Any) -> None:
            send_email(user, "activation-nudge")
            ctx.sleep(hours(1), label="nap")

        _fill(runs)
        clock = Clock(runs, database)
        yield clock.row("enrolled by events", lambda: _enrol(runs))
        yield clock.row("first slice: mail decided, run waits", lambda: _together(_advance))
        yield clock.row("mails handed over", lambda: _together(_deliver))
        _hours_pass()
        yield clock.row("second slice: woken, completed", lambda: _together(_advance))
        _require_completed(runs)
        yield clock.row("floor: rows of runs, steps and mails", _floor)
        yield _latency(runs)


class Clock:
    """Takes the time of works, and what they cost the workers and the database."""

    def __init__(self, runs: int, database: list[int]) -> None:
        self._runs, self._database = runs, database

    def row(self, work: str, do: Callable[[], object]) -> Row:
        """Do it once."""
        app, server, wall = self._app(), self._server(), time.perf_counter()
        do()
        wall = time.perf_counter() - wall
        app, server = self._app() - app, self._server() - server
        rate, each = self._runs / wall, 1000 / self._runs
        return Row(work, self._runs, WORKERS, rate, wall * 1000, 0, app * each, server * each)

    def _app(self) -> float:
        spent = os.times()
        return spent.user + spent.system + spent.children_user + spent.children_system

    def _server(self) -> float:
        return sum(processes.cpu_seconds(pid) for pid in self._database)


def _together(work: Callable[[], object]) -> None:
    """Let every worker do it in a process of its own."""
    from django.db import connections  # noqa: PLC0415 - see above

    connections.close_all()
    children = []
    for _ in range(WORKERS):
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise RuntimeError("A worker failed.")


def _without_pool() -> None:
    """A pool's threads and connections do not survive a fork."""
    from django.db import connection  # noqa: PLC0415 - see above

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["OPTIONS"].pop("pool", None)


def _advance() -> None:
    from journeys.runtime import advance_due  # noqa: PLC0415 - see above
    from journeys.tasks import CLAIM  # noqa: PLC0415 - see above

    while advance_due(limit=CLAIM):
        pass


def _deliver() -> None:
    from emails.actions import deliver_due  # noqa: PLC0415 - see above
    from hogsend.clock import database_now  # noqa: PLC0415 - see above

    while deliver_due(now=database_now(), limit=50):
        pass


def _fill(runs: int) -> None:
    from contacts.actions import ContactRequest, resolve_contacts  # noqa: PLC0415 - see above
    from contacts.rules import Keys  # noqa: PLC0415 - see above
    from hogsend.clock import database_now  # noqa: PLC0415 - see above

    _sql(EMPTY)
    _sql(FLOOR_TABLES)
    for start in range(0, runs, BATCH):
        asked = [ContactRequest(keys=Keys(f"b{n}", f"b{n}@example.com")) for n in range(start, start + BATCH)]
        resolve_contacts(asked, now=database_now())
    _sql("analyze")


def _enrol(runs: int) -> None:
    from contacts.rules import Keys  # noqa: PLC0415 - see above
    from events.actions import ingest_events  # noqa: PLC0415 - see above
    from events.submission import Submission  # noqa: PLC0415 - see above
    from hogsend.lib.ids import new_id  # noqa: PLC0415 - see above

    for start in range(0, runs, BATCH):
        names = range(start, min(start + BATCH, runs))
        ingest_events([Submission(id=new_id(), name="bench.go", keys=Keys(f"b{n}")) for n in names])


def _hours_pass() -> None:
    _sql("update journeys_wakeup set due_at = now() - interval '1 second', claimed_until = null")
    _sql("update journeys_journeystep set deadline = now() - interval '1 second' where status = 'pending'")


def _require_completed(runs: int) -> None:
    counted = _sql("select count(*) from journeys_journeyrun where status = 'completed'")
    sent = _sql("select count(*) from emails_emailsend where status = 'sent'")
    if (counted, sent) != (runs, runs):
        raise RuntimeError(f"Of {runs} runs {counted} were completed and {sent} mails sent, so nothing was measured.")


def _floor() -> None:
    for statement in (FLOOR_RUNS, FLOOR_STEPS, FLOOR_SENDS):
        _sql(statement)


def _latency(runs: int) -> Row:
    """Say how late runs wake that are due all at once, from due to completed."""
    took = _sql(
        "select percentile_disc(array[0.5, 0.95]) within group (order by extract(epoch from ended_at) * 1000"
        " - (select min(extract(epoch from ended_at) * 1000) from journeys_journeyrun)) from journeys_journeyrun"
    )
    return Row("late by, all due at once", runs, WORKERS, 0, float(took[0]), float(took[1]), 0, 0)


def _sql(statement: str) -> Any:
    from django.db import connection  # noqa: PLC0415 - see above

    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else row[0]
