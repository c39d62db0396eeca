from select import POLLIN, poll
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks what the pool gives. Where one connection is dead the others are too, so all are replaced at once.

    The pool's own check discards one, pauses for a second, for two, and gives up: three dead connections would refuse
    a request although the server has long been back. Whoever begins again after a failure may set ``asks_first`` to
    False: a connection on which nothing has come from the server is taken then without a round trip.
    """

    asks_first = True

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection that works. Raises what psycopg raises where there is none."""
        connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
        if self.pool is None or (not self.asks_first and _is_quiet(connection)):
            return connection
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.Error:
            self.pool.putconn(connection)
            self.pool.check()
            connection = super().get_new_connection(conn_params)
        return connection


def _is_quiet(connection: psycopg.Connection[Any]) -> bool:
    """Say, without a round trip, whether nothing has come: what comes on an idle connection is its end."""
    if connection.closed:
        return False
    poller = poll()
    poller.register(connection.fileno(), POLLIN)
    return not poller.poll(0)
