import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)

CUT = """
    select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()"""


def test_a_pool_whose_connections_were_all_cut_gives_a_good_one_at_once():
    fill_pool(8)
    with connection.cursor() as cursor:
        cursor.execute(CUT)

    started = time.monotonic()
    answers = fill_pool(8)

    assert answers == [1] * 8
    assert time.monotonic() - started < 1


def fill_pool(count: int) -> list[int]:
    """Use as many connections at once and give them back."""
    together = Barrier(count)

    def ask(_: int) -> int:
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
                together.wait(10)
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))
