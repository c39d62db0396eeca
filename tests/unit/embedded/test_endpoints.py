import json
import os

import pytest

from hogsend.embedded import endpoints
from hogsend.embedded.lock import held

URLS = {"DATABASE_URL": "postgresql://hogsend@/hogsend?host=/x", "REDIS_URL": "unix:///x/valkey.sock?db=0"}


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("unix:///tmp/valkey.sock?db=3", "redis+socket:///tmp/valkey.sock?virtual_host=3"),
        ("unix:///tmp/valkey.sock", "redis+socket:///tmp/valkey.sock?virtual_host=0"),
        ("unix:///tmp/a%20b/valkey.sock?db=0", "redis+socket:///tmp/a%20b/valkey.sock?virtual_host=0"),
        ("unix://ada:secret@/tmp/valkey.sock?db=1", "redis+socket://ada:secret@/tmp/valkey.sock?virtual_host=1"),
        ("redis://cache.example.com:6379/2", "redis://cache.example.com:6379/2"),
        ("rediss://cache.example.com/0", "rediss://cache.example.com/0"),
    ],
)
def test_celery_gets_its_own_form_of_a_unix_socket(redis_url: str, broker_url: str) -> None:
    assert endpoints.celery_broker_url(redis_url) == broker_url


@pytest.mark.parametrize(
    ("redis_url", "fifth"),
    [
        ("unix:///tmp/valkey.sock?db=0", "unix:///tmp/valkey.sock?db=5"),
        ("unix:///tmp/valkey.sock", "unix:///tmp/valkey.sock?db=5"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/5"),
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/5"),
    ],
)
def test_another_database_of_the_same_server(redis_url: str, fifth: str) -> None:
    assert endpoints.with_database_number(redis_url, 5) == fifth


def test_published_addresses_are_current_while_the_lock_is_held(tmp_path) -> None:
    with held(tmp_path, command="up"):
        endpoints.publish(tmp_path, URLS)
        assert endpoints.current(tmp_path) == URLS
    assert endpoints.current(tmp_path) is None


def test_the_published_file_is_private(tmp_path) -> None:
    endpoints.publish(tmp_path, URLS)
    assert (tmp_path / endpoints.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_file_left_by_a_killed_stack_is_not_believed(tmp_path) -> None:
    (tmp_path / endpoints.FILE_NAME).write_text(json.dumps({**URLS, "pid": os.getpid() + 1}))
    with held(tmp_path, command="up"):
        assert endpoints.current(tmp_path) is None


def test_nothing_is_current_in_an_empty_or_missing_directory(tmp_path) -> None:
    assert endpoints.current(tmp_path) is None
    assert endpoints.current(tmp_path / "missing") is None


def test_withdrawing_twice_is_fine(tmp_path) -> None:
    endpoints.withdraw(tmp_path)
    endpoints.withdraw(tmp_path)
