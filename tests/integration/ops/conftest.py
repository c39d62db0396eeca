"""Other processes of the product, on the database of the tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from ops import probes

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _fresh_tracks() -> Iterator[None]:
    probes.forget_tracks()
    yield
    probes.forget_tracks()


def url_of(database: str) -> str:
    """The address of another database of the tests' server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `manage.py` or a piece of Python in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, "HOGSEND_STATE_DIR": str(tmp_path), "HOGSEND_ENV": "development", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def test_database() -> str:
    """The address of the database that this process uses."""
    return url_of(connection.settings_dict["NAME"])


@pytest.fixture
def empty_database(django_db_blocker: object) -> Iterator[str]:
    """The address of a database in which nothing has been made yet."""
    name = f"{connection.settings_dict['NAME']}_empty"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'drop database if exists "{name}" with (force)')
        cursor.execute(f'create database "{name}" template template0')
    yield url_of(name)
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'drop database "{name}" with (force)')
