"""The same delivery many times at once, and many hands on one dead letter."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client

from events.models import DeadLetter, Event, WebhookSkip
from events.sources.actions import DeadLetterStateError, Retried, retry_dead_letter
from events.sources.definitions import Incoming, WebhookEvent, WebhookSource, registry

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 12


@pytest.fixture(autouse=True)
def shop():
    with registry.scratch():
        yield WebhookSource("shop", public=True, translate=orders)


def orders(incoming: Incoming) -> WebhookEvent | None:
    order = incoming.payload.get("order")
    return WebhookEvent("order.completed", user_id="eve", idempotency_key=order) if order else None


def at_once(work: Callable[[], object]) -> list[object]:
    """Do it in many threads that start together; return what each came to."""
    start, came = threading.Barrier(THREADS), []

    def body() -> None:
        try:
            start.wait()
            came.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            came.append(error)
        finally:
            connection.close()

    running = [threading.Thread(target=body) for _ in range(THREADS)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return came


def test_a_delivery_that_comes_many_times_at_once_is_stored_once():
    def send() -> bool:
        answer = Client().post("/v1/webhooks/shop", {"order": "o1"}, content_type="application/json")
        return answer.json()["stored"]

    came = at_once(send)

    assert sorted(came) == [False] * (THREADS - 1) + [True]
    assert Event.objects.count() == 1


def test_every_skip_is_counted():
    at_once(lambda: Client().post("/v1/webhooks/shop", {}, content_type="application/json"))

    assert WebhookSkip.objects.get().count == THREADS


def test_a_letter_that_many_retry_at_once_is_stored_once():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    letter = DeadLetter.objects.create(source_id="shop", payload='{"order": "o1"}', error="E", received_at=now)

    came = at_once(lambda: retry_dead_letter(letter_id=letter.id, now=now))

    letter.refresh_from_db()
    assert Event.objects.count() == 1
    assert (letter.status, letter.attempts) == ("retried", 2)
    assert all((isinstance(one, Retried) and one.settled) or isinstance(one, DeadLetterStateError) for one in came)
