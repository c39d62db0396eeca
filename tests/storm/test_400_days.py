"""Four hundred days on the way: the broker forgets, the database dies and the code is edited, and nobody is lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from hogsend.embedded.engines import Engine
from hogsend.embedded.postgres import Postgres
from hogsend.embedded.processes import stop_together
from hogsend.embedded.valkey import Valkey

SCRIPT = Path(__file__).with_name("long_wait.py")
ROOT = SCRIPT.parents[2]
HELLO, BYE, LONG = ["storm-hello", "Hello", "sent"], ["storm-bye", "Bye", "sent"], "It has been long"

pytestmark = [
    pytest.mark.storm,
    pytest.mark.timeout(180),
    # Newer Pythons warn of forking beside other threads; the engines are begun as the product does it.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def engines(tmp_path) -> Iterator[list[Engine]]:
    """A database that is durable and a broker, of this test alone."""
    started: list[Engine] = [Postgres(tmp_path), Valkey(tmp_path)]
    for engine in started:
        engine.begin()
        engine.wait_ready()
    yield started
    stop_together(engine.child for engine in started if engine.child)
    for engine in started:
        engine.erase()


def play(part: str, engines: list[Engine], state: Path) -> list[dict[str, Any]]:
    environment = {**os.environ, **{engine.variable: engine.url for engine in engines}, "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "hogsend.settings", "LOG_LEVEL": "error", "HOGSEND_STATE_DIR": str(state)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), part],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def dies_and_returns(postgres: Engine) -> None:
    os.kill(postgres.child.pid, signal.SIGKILL)
    stop_together([postgres.child])
    postgres.begin()
    postgres.wait_ready()


def test_a_wait_of_400_days_outlives_the_broker_the_database_and_the_code(tmp_path, engines):
    postgres, valkey = engines
    [begun] = play("begin", engines, tmp_path)

    dies_and_returns(postgres)
    redis.Redis.from_url(valkey.url).flushall()
    nearly, renewed, over = play("end", engines, tmp_path)

    assert begun == nearly
    assert begun == {
        "ada": ["waiting", [HELLO], ["timer"]],
        "ben": ["waiting", [], ["timer"]],
        "cleo": ["waiting", [], ["timer"]],
    }
    assert renewed == {**begun, "ben": ["completed", [HELLO], []]}
    assert over == {
        "ada": ["completed", [HELLO, ["storm-bye", LONG, "sent"]], []],
        "ben": ["completed", [HELLO], []],
        "cleo": ["completed", [BYE], []],
    }
