"""The limiter against a real Redis: exact across processes, quick when Redis is away, shared again when it is back."""

import socket
import threading
import time
from collections import Counter
from uuid import uuid4

import pytest
import redis
import structlog
from django.conf import settings

from hogsend.api import limits, shared_window
from hogsend.api.limits import Limiter
from hogsend.api.shared_window import SharedWindow

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """A machine with much else to do may answer late; only one test is about that."""
    monkeypatch.setattr(shared_window, "PATIENCE", 10.0)


@pytest.fixture
def name() -> str:
    return f"test:{uuid4()}"


def limiter(url: str = "", **options) -> Limiter:
    """A limiter as a process of its own would have it."""
    return Limiter(SharedWindow(url or settings.REDIS_URL), **options)


class Switch:
    """A shared window that can be unplugged."""

    def __init__(self) -> None:
        self.there, self.gone, self.away = SharedWindow(settings.REDIS_URL), SharedWindow(NOWHERE), False

    def take(self, name, **what):
        return (self.gone if self.away else self.there).take(name, **what)


def test_a_limit_is_shared_by_processes_and_a_refusal_is_not_counted(name):
    one, other = limiter(), limiter()
    passed = [process.take(name, limit=5).wait == 0 for process in (one, other) * 5]
    assert passed == [True] * 5 + [False] * 5
    refused = one.take(name, limit=5)
    assert (refused.limit, refused.remaining, 59 <= refused.retry_after <= 60) == (5, 0, True)
    assert not one.take(name, limit=6).wait


def test_the_remaining_count_goes_down_one_by_one(name):
    process = limiter(clock=lambda: 0.0)
    assert [process.take(name, limit=100_000).remaining for _ in range(200)] == list(range(99_999, 99_799, -1))


def test_there_is_room_again_when_the_refusal_said_so(name, monkeypatch):
    monkeypatch.setattr("hogsend.api.shared_window.SECONDS", 0.3)
    process = limiter()
    assert [process.take(name, limit=2).wait > 0 for _ in range(3)] == [False, False, True]
    wait = process.take(name, limit=2).wait
    assert 0 < wait <= 0.3
    threading.Event().wait(wait)
    assert process.take(name, limit=2).wait == 0


def test_a_batch_takes_its_places_at_once_or_none(name):
    process = limiter()
    assert [process.take(name, limit=100, cost=cost).wait > 0 for cost in (60, 50, 40)] == [False, True, False]


def test_what_is_given_back_may_be_taken_again(name):
    process = limiter()
    process.take(name, limit=3, cost=3)
    process.take(name, limit=3, cost=-1)
    assert [process.take(name, limit=3).wait > 0 for _ in range(2)] == [False, True]


@pytest.mark.parametrize("limit", [40, 1000, 20_000])
def test_threads_of_several_processes_never_exceed_the_limit_together(name, limit):
    processes = [limiter() for _ in range(3)]
    passed, start = Counter(), threading.Barrier(6)

    def hammer(process: Limiter, number: int) -> None:
        start.wait()
        refused = 0
        while refused < 20:
            if process.take(name, limit=limit).wait:
                refused += 1
            else:
                passed[number] += 1

    threads = [threading.Thread(target=hammer, args=(processes[number % 3], number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever stops first leaves places that it had taken ahead, of which there are at most a hundredth each.
    assert limit - 3 * (limit // 100) <= sum(passed.values()) <= limit


def test_a_busy_process_asks_redis_for_few_of_its_requests(name):
    process, began = limiter(), time.monotonic()
    asked = []
    take = process._shared.take
    process._shared.take = lambda *names, **what: (asked.append(1), take(*names, **what))[1]
    while time.monotonic() < began + 0.5:
        process.take(name, limit=10_000_000)
    assert len(asked) < 50


def test_a_client_that_hammers_a_full_limit_does_not_hammer_redis(name):
    process, asked = limiter(), []
    take = process._shared.take
    process._shared.take = lambda *names, **what: (asked.append(1), take(*names, **what))[1]
    waits = [process.take(name, limit=2).wait > 0 for _ in range(100)]
    assert (waits, len(asked)) == ([False] * 2 + [True] * 98, 3)
    assert process.take(name, limit=2, cost=0).wait == 0


def test_places_taken_ahead_are_lost_after_a_second_and_never_used_late(name):
    clock = [0.0]
    process = limiter(clock=lambda: clock[0])
    for _ in range(30):
        process.take(name, limit=100_000)
    assert process._buckets[name].left > 0
    clock[0] += limits.LEASE_SECONDS
    process.take(name, limit=100_000)
    assert process._buckets[name].asked_at == clock[0]


def test_without_redis_each_process_limits_by_itself_at_once_and_says_so_once(name):
    process, began = limiter(NOWHERE), time.monotonic()
    with structlog.testing.capture_logs() as lines:
        passed = [process.take(name, limit=50).wait == 0 for _ in range(1000)]
    assert passed == [True] * 50 + [False] * 950
    assert time.monotonic() - began < 1
    assert [line["event"] for line in lines] == ["rate_limit.local"]
    assert (process.fallbacks, process.decided_alone) == (1, 1000)


def test_a_redis_that_accepts_and_never_answers_costs_a_quarter_second_and_only_one_request(name, monkeypatch):
    monkeypatch.setattr(shared_window, "PATIENCE", 0.25)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = limiter(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()
        process.take(name, limit=50)
        first = time.monotonic() - began
        for _ in range(100):
            process.take(name, limit=5000)
    assert 0.2 < first < 2
    assert (process.fallbacks, process.decided_alone) == (1, 101)


def test_redis_is_asked_again_every_few_seconds_and_found_again(name):
    clock, switch = [100.0], Switch()
    process = Limiter(switch, clock=lambda: clock[0])
    switch.away = True
    process.take(name, limit=10)
    switch.away = False
    process.take(name, limit=10)
    alone = process.decided_alone
    clock[0] += limits.RETRY_SECONDS
    with structlog.testing.capture_logs() as lines:
        process.take(name, limit=10)
    assert (alone, process.decided_alone, [line["event"] for line in lines]) == (2, 2, ["rate_limit.shared_again"])
    assert limiter().take(name, limit=10).remaining == 8


def test_a_redis_that_forgot_the_script_and_dropped_the_connections_is_no_trouble(name):
    process = limiter()
    process.take(name, limit=10)
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.script_flush()
    client.client_kill_filter(_type="normal", skipme=True)
    process.take(name, limit=10)
    assert process.fallbacks == 0


def test_without_an_address_of_redis_the_limit_is_local(name):
    process = Limiter(SharedWindow(""))
    assert [process.take(name, limit=1).wait > 0 for _ in range(2)] == [False, True]


def test_the_memory_of_limits_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "MOST_BUCKETS", 3)
    process = limiter(NOWHERE)
    for number in range(10):
        process.take(f"test:{number}", limit=5)
    assert list(process._buckets) == ["test:7", "test:8", "test:9"]


def test_the_limiter_costs_a_busy_request_less_than_sixty_microseconds(name):
    process = limiter()
    process.take(name, limit=10_000_000)
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(2000):
            process.take(name, limit=10_000_000)
        rounds.append((time.perf_counter() - began) / 2000)
    assert min(rounds) < 60e-6
