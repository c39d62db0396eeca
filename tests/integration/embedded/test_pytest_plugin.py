import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.stacks import SET_BY_THE_TEST_RUN, alive, eventually

REPOSITORY = Path(__file__).resolve().parents[3]
TESTS = """
import os
import time
from pathlib import Path

import psycopg
import pytest
import redis

HERE = Path(__file__).parent


@pytest.mark.parametrize("number", [1, 2])
def test_engines_are_there(engine_urls, number):
    assert os.environ["HOGSEND_ENV"] == "test"
    with psycopg.connect(engine_urls["DATABASE_URL"]) as connection:
        connection.execute("SELECT 1")
    with redis.Redis.from_url(engine_urls["REDIS_URL"]) as client:
        client.set("own", os.environ.get("PYTEST_XDIST_WORKER", "alone"))
    (HERE / f"{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}.url").write_text(engine_urls["REDIS_URL"])


@pytest.mark.skipif("WAIT" not in os.environ, reason="waits to be killed")
def test_waits(engine_urls):
    with psycopg.connect(engine_urls["DATABASE_URL"]) as connection:
        (HERE / "data").write_text(connection.execute("SHOW data_directory").fetchone()[0])
    time.sleep(60)
"""
ARGUMENTS = ["-p", "hogsend.embedded.pytest_plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider"]


@pytest.fixture
def run_pytest(tmp_path):
    """Start pytest on the small test file, without the engines of this run."""
    (tmp_path / "test_small.py").write_text(TESTS)
    (tmp_path / "tmp").mkdir()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in SET_BY_THE_TEST_RUN and not name.startswith("PYTEST")
    }

    own = {
        "PYTHONPATH": str(REPOSITORY),
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }

    def run(*arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *ARGUMENTS, f"--rootdir={tmp_path}", *arguments, str(tmp_path)],
            env={**inherited, **own, **environ},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def test_one_pair_of_engines_serves_a_run_and_goes_with_it(run_pytest, tmp_path) -> None:
    output, _ = run_pytest().communicate(timeout=60)
    assert "engines: embedded PostgreSQL" in output
    assert "2 passed, 1 skipped" in output
    assert list((tmp_path / "tmp").glob("hogsend-test-*")) == []


def test_each_xdist_worker_has_its_own_valkey_database(run_pytest, tmp_path) -> None:
    output, _ = run_pytest("-n2", "--dist=each").communicate(timeout=60)
    assert "4 passed" in output
    first, second = (path.read_text() for path in sorted(tmp_path.glob("gw*.url")))
    assert first.partition("?")[0] == second.partition("?")[0]
    assert (first.partition("?")[2], second.partition("?")[2]) == ("db=1", "db=2")


def test_a_killed_run_takes_its_engines_along(run_pytest, tmp_path) -> None:
    process = run_pytest(WAIT="1")
    told = tmp_path / "data"
    eventually(lambda: told.exists() and told.read_text() != "", 30)
    data = Path(told.read_text())
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    eventually(lambda: not alive(postmaster))


def test_servers_from_the_environment_are_used_as_they_are(run_pytest, engine_urls) -> None:
    output, _ = run_pytest(**engine_urls).communicate(timeout=60)
    assert "engines: DATABASE_URL from the environment, REDIS_URL from the environment" in output
    assert "2 passed" in output
