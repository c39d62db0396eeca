"""A clock of the database that moves when it is told to, for the length of one test's transaction.

Every statement of the product asks ``now()`` or ``clock_timestamp()``. PostgreSQL finds functions by the search path,
so two functions of a schema that comes first take the place of its own; with the transaction they are gone.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connection

from hogsend.clock import database_now
from journeys.statements import affect, fetch

# Every reading is a microsecond later than the last: what happens one after the other keeps its order.
BUILD = """
    create schema hogsend_play;
    create sequence hogsend_play.readings;
    create function hogsend_play.clock_timestamp() returns timestamptz volatile language sql as $$
        select current_setting('hogsend_play.moment')::timestamptz
            + nextval('hogsend_play.readings') * interval '1 microsecond' $$;
    create function hogsend_play.now() returns timestamptz stable language sql as $$
        select current_setting('hogsend_play.moment')::timestamptz
            + (select last_value from hogsend_play.readings) * interval '1 microsecond' $$
"""
START = """
    select set_config('hogsend_play.token', %s, true), set_config('hogsend_play.moment', %s, true),
        set_config('search_path', 'hogsend_play, pg_catalog, ' || current_setting('search_path'), true)
"""
TURN = "select set_config('hogsend_play.moment', %s, true), setval('hogsend_play.readings', 1)"
TOKEN = "select current_setting('hogsend_play.token', true)"  # noqa: S105 - names a transaction


class NoTestDatabaseError(RuntimeError):
    """There is no transaction that would take back what is played."""


class MovedClock:
    """The time of the present transaction. It stands still unless it is moved, and only moves forward."""

    def __init__(self, moment: datetime) -> None:
        if not connection.in_atomic_block:
            raise NoTestDatabaseError(
                "Journeys are played on the database of a test, which takes everything back: mark the test with "
                "pytest.mark.django_db (without transaction=True), or let it ask for the fixture db."
            )
        self.token = uuid4().hex
        with connection.cursor() as cursor:
            cursor.execute(BUILD)
        affect(START, [self.token, moment.isoformat()])

    @property
    def is_running(self) -> bool:
        """Whether the transaction that it was made in goes on."""
        return connection.in_atomic_block and fetch(TOKEN) == [(self.token,)]

    def now(self) -> datetime:
        """Return the time it is."""
        return database_now()

    def move_to(self, moment: datetime) -> None:
        """Move forward to ``moment``; nothing happens if that is past."""
        if moment > self.now() + timedelta(microseconds=1):
            affect(TURN, [moment.isoformat()])
