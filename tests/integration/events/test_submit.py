"""Group commit: who leads, who fails alone, and what survives a database that drops connections."""

import json
import threading
import time
from collections.abc import Callable
from itertools import count

import pytest
from django.db import connection
from django.test import Client

from contacts.rules import Keys
from events import submit
from events.models import Event
from events.submission import Answer, Submission
from events.submit import Leader, run, submit_events
from hogsend.api import writes
from hogsend.api.errors import ApiError
from hogsend.lib.ids import new_id
from tests.functions import rewritten
from tests.integration.events import probes
from tests.integration.events.test_together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def event(name: str = "n", user_id: str = "eve", **options) -> Submission:
    return Submission(id=new_id(), name=name, keys=Keys(external=user_id), **options)


def wait_until(true: Callable[[], bool]) -> None:
    deadline, tick = time.monotonic() + 30, threading.Event()
    while not true():
        assert time.monotonic() < deadline
        tick.wait(0.005)


def test_what_queues_while_a_transaction_runs_is_recorded_by_the_next_one():
    sizes, running, go_on = [], threading.Event(), threading.Event()

    def slow(submissions):
        sizes.append(len(submissions))
        running.set()
        assert go_on.wait(10)
        return [Answer(stored=True, contact_id=one.id) for one in submissions]

    leader = Leader(slow, lanes=1, size=8)
    outcomes: dict[int, list] = {}
    mine = [[event() for _ in range(size)] for size in (1, 3, 3, 3)]
    threads = [threading.Thread(target=lambda n=n: outcomes.update({n: leader.submit(mine[n])})) for n in range(4)]
    threads[0].start()
    assert running.wait(10)
    for number, thread in enumerate(threads[1:], start=1):
        thread.start()
        wait_until(lambda number=number: len(leader._queue) == number)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sizes == [1, 6, 3]
    assert {n: [one.contact_id for one in found] for n, found in outcomes.items()} == {
        n: [one.id for one in mine[n]] for n in range(4)
    }


def test_as_many_transactions_run_at_once_as_there_are_lanes():
    meeting = threading.Barrier(2, timeout=10)

    def together(submissions):
        meeting.wait()
        return [Answer(stored=True, contact_id=None) for _ in submissions]

    leader = Leader(together, lanes=2, size=8)
    at_once(lambda _: leader.submit([event()]), 2)
    assert not meeting.broken


def test_a_leader_that_dies_leaves_nobody_waiting():
    def die(submissions):
        raise SystemExit

    leader = Leader(die, lanes=1, size=8)
    with pytest.raises(SystemExit):
        leader.submit([event()])
    with pytest.raises(SystemExit):
        leader.submit([event()])


def test_one_event_with_a_fault_fails_alone(listeners):
    listeners(probes.fail_for_bad)
    outcomes = run([event(), event("bad", "bob"), event()])
    assert [isinstance(one, Answer) for one in outcomes] == [True, False, True]
    assert (outcomes[1].status, Event.objects.count()) == (500, 2)


def test_an_event_that_was_recorded_although_the_commit_was_not_heard_of_is_not_recorded_twice(monkeypatch, listeners):
    listeners(probes.note)
    record, lost = submit._record, count()

    def record_and_lose_the_answer(submissions):
        answers = record(submissions)
        if next(lost) == 0:
            raise submit.OperationalError("server closed the connection unexpectedly")
        return answers

    monkeypatch.setattr(submit, "_record", record_and_lose_the_answer)
    outcomes = run([event(), event(user_id="bob")])
    assert [one.stored for one in outcomes] == [True, True]
    assert (Event.objects.count(), len(probes.seen)) == (2, 1)


def test_somebody_who_is_locked_for_long_is_answered_with_503_and_neighbours_are_not(monkeypatch):
    monkeypatch.setattr(writes, "PAUSE", 0)
    run([event()])
    locked, done = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("lock table contacts_keyconflict")
            cursor.execute(
                "select pg_advisory_xact_lock(hashtextextended(contact_id::text, 0)) from contacts_contactkey where value = 'eve'"
            )
            locked.set()
            assert done.wait(30)
            cursor.execute("rollback")

    holder = threading.Thread(target=at_once, args=(hold, 1))
    holder.start()
    assert locked.wait(10)
    with rewritten("events_begin", "'5s'", "'50ms'"):
        blocked, free = run([event(), event(user_id="bob")])
    done.set()
    holder.join(10)
    assert (blocked.status, "send the same again" in blocked.message, free.stored) == (503, True, True)


POISON = [
    '{"x":1e200000}',
    '{"x":"\\ud800 "}',
    '{"x":"\\u0000"}',
    "[1]",
    '{"x":' + "[" * 3000 + "]" * 3000 + "}",
    '{"x":',
]


def test_poison_hurts_nobody_else(api_key):
    """One in 20 of 960 events from 16 clients cannot be taken, some only by the database; the others are all stored once."""
    statuses: dict[str, int] = {}
    position = count()

    def work(_: int) -> None:
        client = Client()
        while (number := next(position)) < 960:
            properties = POISON[number // 20 % len(POISON)] if number % 20 == 0 else json.dumps({"n": number})
            body = f'{{"name":"n","userId":"u{number % 100}","eventProperties":{{"n":{number}}},"contactProperties":{properties}}}'
            response = client.post(
                "/v1/events",
                body.encode(),
                content_type="application/json",
                headers={"Authorization": f"Bearer {api_key}"},
            )
            statuses[number] = response.status_code

    at_once(work, 16)
    assert {number for number, status in statuses.items() if status == 400} == set(range(0, 960, 20))
    assert {number for number, status in statuses.items() if status == 202} == {n for n in range(960) if n % 20}
    assert sorted(one["n"] for one in Event.objects.values_list("properties", flat=True)) == [
        n for n in range(960) if n % 20
    ]


def test_what_was_acknowledged_survives_backends_that_are_killed():
    """Fifteen threads send while every other connection is cut off five times; every answer is true."""
    acknowledged, refused, stop = [], [], threading.Event()

    def work(number: int) -> None:
        if number == 0:
            cut()
            return
        for turn in count():
            if stop.is_set():
                return
            one = event(user_id=f"u{turn % 50}")
            (outcome,) = submit_events([one])
            (acknowledged if isinstance(outcome, Answer) and outcome.stored else refused).append((one, outcome))

    def cut() -> None:
        try:
            for _ in range(5):
                goal = len(acknowledged) + 100
                wait_until(lambda goal=goal: len(acknowledged) >= goal)
                with connection.cursor() as cursor:
                    cursor.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                    )
        finally:
            stop.set()

    connection.close()  # this thread's own would be cut off as well
    at_once(work, 16)
    rows = set(Event.objects.values_list("pk", flat=True))
    assert {one.id for one, _ in acknowledged} == rows - {one.id for one, _ in refused}
    assert all(isinstance(outcome, ApiError) and outcome.status == 503 for _, outcome in refused)
    assert len(acknowledged) >= 500
