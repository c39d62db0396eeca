import os
import signal
import socket

import psycopg
import pytest

from hogsend.embedded import endpoints
from hogsend.embedded.lock import held
from tests.integration.embedded.stacks import alive, eventually

LIMIT = 10.0


def execute(url: str, *statements: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_ctrl_c_stops_everything_and_leaves_nothing(start_stack) -> None:
    stack = start_stack().until_said("is ready")
    assert stack.state_dir.stat().st_mode & 0o777 == 0o700
    assert len(stack.left()) > 5
    stack.process.send_signal(signal.SIGINT)
    assert stack.until_ended(LIMIT) == 0
    assert stack.is_gone()
    assert "Stopped in" in stack.said()


def test_sigterm_stops_even_a_worker_that_refuses_within_ten_seconds(start_stack) -> None:
    stack = start_stack("stubborn").until_said("is ready")
    stack.process.terminate()
    assert stack.until_ended(LIMIT) == 0
    assert stack.is_gone()


def test_a_second_ctrl_c_does_not_wait_for_anybody(start_stack) -> None:
    stack = start_stack("stubborn").until_said("is ready")
    stack.process.send_signal(signal.SIGINT)
    stack.until_said("Stopping")
    stack.process.send_signal(signal.SIGINT)
    assert stack.until_ended(LIMIT) == 0
    assert stack.is_gone()


def test_a_second_stack_is_refused_and_told_where_the_first_one_is(start_stack) -> None:
    first = start_stack().until_said("is ready")
    second = start_stack()
    assert second.until_ended() == 1
    refusal = second.said()
    assert "`./run up` already runs here" in refusal
    assert f"process {first.process.pid}" in refusal
    assert f"http://127.0.0.1:{first.port}" in refusal
    assert first.process.poll() is None


def test_the_dead_are_said_and_started_again(start_stack) -> None:
    stack = start_stack().until_said("is ready")
    url = endpoints.current(stack.state_dir)["DATABASE_URL"]
    execute(url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 42 AS answer")
    worker, postmaster = (
        stack.pid_of("worker"),
        int((stack.state_dir / "postgres/data/postmaster.pid").read_text().split()[0]),
    )
    os.kill(worker, signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)
    stack.until_said("worker died (killed by signal 9)").until_said("worker runs again.")
    stack.until_said("postgres died (killed by signal 9)").until_said("postgres runs again.")
    eventually(lambda: stack.pid_of("worker") != worker and alive(stack.pid_of("worker")))
    assert execute(url, "SELECT answer FROM kept") == [(42,)]


def test_a_killed_supervisor_takes_everything_along_and_the_next_one_recovers(start_stack) -> None:
    killed = start_stack("stubborn").until_said("is ready")
    url = endpoints.current(killed.state_dir)["DATABASE_URL"]
    execute(url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 42 AS answer")
    killed.process.kill()
    killed.process.wait()
    heir = start_stack().until_said("is ready")
    assert endpoints.current(heir.state_dir)["DATABASE_URL"] == url
    assert execute(url, "SELECT answer FROM kept") == [(42,)]
    heir.process.terminate()
    assert heir.until_ended(LIMIT) == 0
    assert heir.is_gone()


def test_after_a_kill_nothing_lives_on_by_itself(start_stack) -> None:
    stack = start_stack().until_said("is ready")
    stack.process.kill()
    stack.process.wait()
    eventually(stack.is_gone)


def test_a_taken_port_is_answered_with_a_sentence(start_stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = start_stack(HOGSEND_PORT=str(port))
        assert stack.until_ended() == 1
    assert f"Port {port} on 127.0.0.1 is already in use" in stack.said()
    assert f"HOGSEND_PORT={port + 1} ./run up" in stack.said()


def test_production_is_refused_with_what_to_set(start_stack) -> None:
    stack = start_stack(HOGSEND_ENV="production")
    assert stack.until_ended() == 1
    assert "Set DATABASE_URL and REDIS_URL" in stack.said()


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [("broken", "web ended at once (exit code 3)"), ("unprepared", "The database could not be prepared.")],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(start_stack, scenario: str, sentence: str) -> None:
    stack = start_stack(scenario)
    assert stack.until_ended(20) == 1
    assert sentence in stack.said()
    assert stack.is_gone()


def test_a_look_at_the_lock_does_not_turn_an_owner_away(empty_state_dir) -> None:
    with held(empty_state_dir, command="up"):
        pass
    readers = [os.open(empty_state_dir / "lock", os.O_RDONLY) for _ in range(3)]
    with held(empty_state_dir, command="up"):
        assert endpoints.current(empty_state_dir) is None
    for reader in readers:
        os.close(reader)
