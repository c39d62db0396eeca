"""The database's clock: one for all processes, to be read once at the edge and passed on."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the database's time at this moment, also inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
