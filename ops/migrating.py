"""Migrations, one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection

from hogsend.celery import load_beat
from ops import probes

LOCK = 4812007  # advisory; every process that migrates this database takes it
PATIENCE = "120s"  # for another process that migrates just now
LOCK_TIMEOUT = "10s"  # for a table that live traffic holds
STATEMENT_TIMEOUT = "15min"


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock under which schema and first rows are made; other processes wait here.

    Raises django.db.OperationalError when somebody else holds it for two minutes.
    """
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", [PATIENCE])
        cursor.execute("select pg_advisory_lock(%s)", [LOCK])
        cursor.execute("select set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        cursor.execute("select set_config('statement_timeout', %s, false)", [STATEMENT_TIMEOUT])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [LOCK])
            cursor.execute("reset lock_timeout; reset statement_timeout")


def bring_up_to_date() -> int:
    """Apply what is pending and load the missing schedules; return how many migrations that were."""
    probes.forget_tracks()
    pending = sum(len(track.pending) for track in probes.migration_tracks().values())
    if pending:
        call_command("migrate", interactive=False, verbosity=0)
        probes.forget_tracks()
    load_beat()
    return pending
