"""The functions of the database, changed for the time of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def rewritten(name: str, old: str, new: str) -> Iterator[None]:
    """Put ``new`` for ``old`` in the text of a function."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_get_functiondef(%s::regproc)", [name])
        original = cursor.fetchone()[0]
        assert old in original
        cursor.execute(original.replace(old, new))
        try:
            yield
        finally:
            cursor.execute(original)
