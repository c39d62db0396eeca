"""A ring reaches the broker from any thread of any process, after commit, and never fails its caller."""

import threading
import time

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import transaction

from hogsend import doorbell

QUEUE = "bulk"


@pytest.fixture
def broker():
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(QUEUE)
    yield client
    client.delete(QUEUE)


def arrived(broker: redis.Redis, count: int) -> int:
    deadline = time.monotonic() + 10
    while broker.llen(QUEUE) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return broker.llen(QUEUE)


def test_every_thread_rings_our_own_application():
    found = []
    thread = threading.Thread(target=lambda: found.append(current_app.main))
    thread.start()
    thread.join()
    assert found == ["hogsend"]


@pytest.mark.django_db(transaction=True)
def test_a_ring_arrives_after_the_commit_and_not_before(broker):
    with transaction.atomic():
        doorbell.ring("ops.heartbeat")
        assert broker.llen(QUEUE) == 0
    assert arrived(broker, 1) == 1


@pytest.mark.django_db(transaction=True)
def test_a_ring_of_a_transaction_that_failed_is_never_heard(broker):
    with transaction.atomic():
        doorbell.ring("ops.heartbeat")
        transaction.set_rollback(True)
    doorbell.ring("events.forget_keys")
    assert arrived(broker, 1) == 1


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_rings_becomes_a_few(broker):
    for _ in range(500):
        doorbell.ring("ops.heartbeat")
    assert 1 <= arrived(broker, 1) <= 5


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_neither_fails_nor_delays_the_caller(monkeypatch):
    monkeypatch.setattr(current_app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(doorbell, "_current", [])
    started = time.monotonic()
    doorbell.ring("ops.heartbeat")
    assert time.monotonic() - started < 1
