import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from kombu import Connection

from hogsend.embedded.accounts import Mode
from hogsend.embedded.endpoints import celery_broker_url
from hogsend.embedded.engines import Engine
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.postgres import Postgres
from hogsend.embedded.processes import stop_together
from hogsend.embedded.sockets import private_directory
from hogsend.embedded.valkey import Valkey
from tests.integration.embedded.stacks import alive

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to avoid being root")
OWN_MODE = [None]
# Newer Pythons warn of forking beside xdist's threads; the product itself starts engines before it has any.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
MODES = [*OWN_MODE, *(pytest.param(mode, marks=ROOT_ONLY) for mode in (Mode.NAMESPACE, Mode.NOBODY))]


@pytest.fixture
def start(state_dir) -> Iterator[Callable[[Engine], Engine]]:
    """Start an engine and wait for it; all are stopped in the end, and removed from where nobody needs them."""
    started: list[Engine] = []

    def start_one(engine: Engine) -> Engine:
        started.append(engine)
        engine.begin()
        engine.wait_ready()
        return engine

    yield start_one
    stop_together(engine.child for engine in started if engine.child)
    for engine in started:
        if engine.log.parent.parent != state_dir:
            engine.erase()


def query(postgres: Postgres, statement: str) -> list[tuple]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def kill(engine: Engine) -> None:
    os.kill(engine.child.pid, signal.SIGKILL)
    stop_together([engine.child])


@pytest.mark.parametrize("mode", MODES)
def test_committed_rows_survive_a_killed_server(start, state_dir, mode) -> None:
    first = start(Postgres(state_dir, mode=mode))
    query(first, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    kill(first)
    second = start(Postgres(state_dir, mode=mode))
    assert query(second, "SELECT count(*) FROM kept") == [(1000,)]


def test_the_database_speaks_utf8_and_utc_on_no_network_address(start, empty_state_dir) -> None:
    postgres = start(Postgres(empty_state_dir))
    settings = "current_setting('TimeZone'), current_setting('listen_addresses'), current_setting('server_encoding')"
    assert query(postgres, f"SELECT upper('émile'), {settings}, current_setting('fsync')") == [
        ("ÉMILE", "UTC", "", "UTF8", "on")
    ]


def test_the_callers_environment_does_not_change_the_server(start, empty_state_dir, monkeypatch) -> None:
    for name, value in {"PGDATA": "/nowhere", "PGPORT": "1", "LC_ALL": "xx_XX.UTF-8", "TZ": "Asia/Tokyo"}.items():
        monkeypatch.setenv(name, value)
    assert query(start(Postgres(empty_state_dir)), "SELECT 1") == [(1,)]


def test_engines_in_a_path_too_long_for_sockets(start, tmp_path) -> None:
    deep = tmp_path / "/".join(["a rather long name"] * 6)
    private_directory(deep)
    assert len(str(deep)) > 107
    postgres, valkey = start(Postgres(deep)), start(Valkey(deep))
    assert query(postgres, "SELECT 1") == [(1,)]
    with redis.Redis.from_url(valkey.url) as client:
        assert client.ping()


def test_a_pid_file_whose_number_belongs_to_somebody_else_is_no_obstacle(start, state_dir) -> None:
    first = start(Postgres(state_dir))
    kill(first)
    pidfile = first.data / "postmaster.pid"
    pidfile.write_text(pidfile.read_text().replace(str(first.child.pid), str(os.getpid()), 1))
    assert query(start(Postgres(state_dir)), "SELECT 1") == [(1,)]


def test_half_a_cluster_is_made_again(start, empty_state_dir) -> None:
    unfinished = Postgres(empty_state_dir).account.home / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert query(start(Postgres(empty_state_dir)), "SELECT 1") == [(1,)]


def test_a_predecessor_that_still_runs_is_ended_first(start, state_dir) -> None:
    first = start(Postgres(state_dir))
    query(first, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    second = start(Postgres(state_dir))
    assert query(second, "SELECT answer FROM kept") == [(42,)]
    assert not alive(first.child.pid)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(state_dir) -> None:
    postgres = Postgres(state_dir, settings={"max_connections": "none"})
    postgres.begin()
    with pytest.raises(EmbeddedError, match=r"(?s)did not start.*max_connections"):
        postgres.wait_ready()
    stop_together([postgres.child])


def test_messages_survive_a_restart_of_the_broker(start, empty_state_dir) -> None:
    first = start(Valkey(empty_state_dir))
    with Connection(celery_broker_url(first.url)) as connection, connection.SimpleQueue("letters") as queue:
        queue.put({"to": "ada"})
    stop_together([first.child])
    second = start(Valkey(empty_state_dir))
    with Connection(celery_broker_url(second.url)) as connection, connection.SimpleQueue("letters") as queue:
        message = queue.get(timeout=5)
        message.ack()
    assert message.payload == {"to": "ada"}


def test_a_full_broker_says_no_rather_than_forget(start, empty_state_dir) -> None:
    valkey = start(Valkey(empty_state_dir))
    with redis.Redis.from_url(valkey.url) as client:
        settings = client.config_get("maxmemory-policy", "appendonly", "databases")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "databases": "64"}


@ROOT_ONLY
def test_root_where_namespaces_are_forbidden_becomes_nobody(empty_state_dir, monkeypatch) -> None:
    monkeypatch.setattr("hogsend.embedded.accounts._namespace_works", lambda *_: False)
    assert Postgres(empty_state_dir).account.mode is Mode.NOBODY


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        private_directory(tmp_path / "state")
