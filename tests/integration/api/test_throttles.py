"""Limits as a client sees them: which requests count, in which order refusals come, what the headers say."""

import threading

import pytest
import redis
from django.db import connection
from django.test import Client, RequestFactory

from events.models import Event
from hogsend.api import authentication, shared_window, throttles
from hogsend.api.authentication import KeyCache
from hogsend.api.keys import create_key
from hogsend.api.limits import Limiter
from hogsend.api.shared_window import SharedWindow

pytestmark = pytest.mark.django_db

EVENT = {"name": "page.viewed", "userId": "ada"}
NET = iter(range(1, 250))


@pytest.fixture(autouse=True)
def _quiet(settings, monkeypatch):
    settings.HOGSEND_EVENT_CONSUMERS = []
    monkeypatch.setattr(shared_window, "PATIENCE", 10.0)
    patient = Limiter(SharedWindow(settings.REDIS_URL))
    monkeypatch.setattr(throttles, "limiter", lambda _url: patient)
    monkeypatch.setattr(authentication, "keys", KeyCache())


@pytest.fixture
def limit(settings):
    def choose(**limits: int) -> None:
        settings.HOGSEND_RATE_LIMITS = {**settings.HOGSEND_RATE_LIMITS, **limits}

    return choose


@pytest.fixture
def address() -> str:
    """An address that no other test comes from."""
    return f"198.51.100.{next(NET)}"


def key(*scopes: str) -> str:
    return create_key(name="test", scopes=scopes or ["ingest"])[1]


def send(plain: str | None, body: object = EVENT, path: str = "/v1/events", **options):
    headers = {"Authorization": f"Bearer {plain}"} if plain else {}
    return Client().post(path, body, content_type="application/json", headers=headers, **options)


def marks(response) -> tuple[str | None, str | None]:
    return response.headers.get("X-RateLimit-Limit"), response.headers.get("X-RateLimit-Remaining")


def test_every_answer_says_what_is_left_and_the_refusal_when_to_come_back(limit):
    limit(events=2)
    plain = key()
    answers = [send(plain) for _ in range(3)]
    assert [(one.status_code, *marks(one)) for one in answers] == [
        (202, "2", "1"),
        (202, "2", "0"),
        (429, "2", "0"),
    ]
    assert 59 <= int(answers[2].headers["Retry-After"]) <= 60
    assert answers[2].json() == {
        "error": f"Rate limit exceeded; send again in {answers[2].headers['Retry-After']} seconds."
    }


def test_each_key_and_each_part_of_the_api_has_a_limit_of_its_own(limit):
    limit(events=1, contacts=1)
    one, other = key(), key()
    put = {"userId": "ada"}
    assert [send(one).status_code, send(other).status_code, send(one).status_code] == [202, 202, 429]
    response = Client().put("/v1/contacts", put, "application/json", headers={"Authorization": f"Bearer {one}"})
    assert (response.status_code, marks(response)) == (200, ("1", "0"))


def test_nought_is_no_limit(limit):
    limit(events=0)
    response = send(key())
    assert (response.status_code, marks(response)) == (202, (None, None))


def test_refusals_come_in_the_order_key_scope_limit_body(limit):
    limit(events=1)
    reader, full = key("read"), key()
    send(full)
    statuses = [send(None, b"nope").status_code, send(reader, b"nope").status_code, send(full, b"nope").status_code]
    assert (statuses, send(key(), b"nope").status_code) == ([401, 403, 429], 400)


def test_a_bad_body_counts_too(limit):
    limit(events=1)
    plain = key()
    assert [send(plain, b"nope").status_code, send(plain).status_code] == [400, 429]


def test_a_batch_counts_as_its_events_and_a_refused_one_as_nothing(limit):
    limit(events=10)
    plain = key()
    sizes = [6, 5, 4, 1]
    answers = [send(plain, [EVENT] * size, "/v1/events/batch") for size in sizes]
    assert [(one.status_code, marks(one)[1]) for one in answers] == [(202, "4"), (429, "4"), (202, "0"), (429, "0")]
    assert Event.objects.count() == 10


def test_a_batch_larger_than_the_limit_says_so(limit):
    limit(events=10)
    response = send(key(), [EVENT] * 11, "/v1/events/batch")
    assert response.status_code == 429
    assert "at most 10 fit into a minute" in response.json()["error"]


def test_a_preflight_counts_nothing(limit):
    limit(events=1)
    plain = key()
    Client().options("/v1/events", headers={"Authorization": f"Bearer {plain}"})
    assert send(plain).status_code == 202


def test_guessing_keys_is_slowed_down_by_address(limit, address):
    limit(unauthenticated=3)
    guesses = [send(f"hsk_{number}", REMOTE_ADDR=address) for number in range(5)]
    assert [one.status_code for one in guesses] == [401, 401, 401, 429, 429]
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert send("hsk_5", REMOTE_ADDR=f"{address[:-1]}250").status_code == 401


def test_requests_without_a_key_count_as_guesses(limit, address):
    limit(unauthenticated=2)
    assert [send(None, REMOTE_ADDR=address).status_code for _ in range(3)] == [401, 401, 429]


def test_a_guess_from_a_refused_address_is_not_even_looked_at(limit, address):
    limit(unauthenticated=1)
    send("hsk_wrong", REMOTE_ADDR=address)
    assert send(key(), REMOTE_ADDR=address).status_code == 429


def test_a_key_that_was_good_goes_on_working_beside_a_guesser(limit, address):
    limit(unauthenticated=2)
    plain = key()
    first = send(plain, REMOTE_ADDR=address).status_code
    for number in range(5):
        send(f"hsk_{number}", REMOTE_ADDR=address)
    assert (first, send(plain, REMOTE_ADDR=address).status_code) == (202, 202)


def test_the_static_key_goes_on_working_beside_a_guesser(limit, address, settings):
    limit(unauthenticated=2)
    settings.ADMIN_API_KEY = "a-long-admin-secret"
    first = send("a-long-admin-secret", REMOTE_ADDR=address).status_code
    for number in range(5):
        send(f"hsk_{number}", REMOTE_ADDR=address)
    assert (first, send("a-long-admin-secret", REMOTE_ADDR=address).status_code) == (202, 202)


@pytest.mark.parametrize(
    ("proxy", "remote", "forwarded", "address"),
    [
        (False, "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (True, "192.0.2.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (True, "192.0.2.1", "", "192.0.2.1"),
        (False, "2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        (False, "", "", "unknown"),
        (True, "192.0.2.1", "nonsense", "unknown"),
    ],
)
def test_an_address_is_taken_from_whom_one_can_trust(settings, proxy, remote, forwarded, address):
    settings.HOGSEND_BEHIND_PROXY = proxy
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert throttles.address_of(RequestFactory().get("/", REMOTE_ADDR=remote, **headers)) == address


@pytest.mark.django_db(transaction=True)
def test_many_threads_get_exactly_the_limit(limit):
    limit(events=40)
    plain = key()
    send(plain)
    statuses: list[int] = []
    start = threading.Barrier(8)

    def hammer() -> None:
        start.wait()
        statuses.extend(send(plain).status_code for _ in range(10))
        connection.close()

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(202), statuses.count(429)) == (39, 41)


def test_events_are_taken_while_redis_is_away(limit, monkeypatch):
    limit(events=3)
    alone = Limiter(SharedWindow("redis://127.0.0.1:1/0"))
    monkeypatch.setattr(throttles, "limiter", lambda _url: alone)
    plain = key()
    assert [send(plain).status_code for _ in range(4)] == [202, 202, 202, 429]


@pytest.fixture
def posthog(settings) -> None:
    """The source, open and with its whole minute."""
    settings.WEBHOOK_SECRETS = {"POSTHOG_WEBHOOK_SECRET": "s3cret"}
    redis.Redis.from_url(settings.REDIS_URL).delete("hogsend:rate:webhooks:posthog")


def deliver(proof: str, event: str, **options):
    body = {"event": {"event": event, "distinct_id": "ada"}, "person": {}}
    headers = {"X-PostHog-Webhook-Secret": proof}
    return Client().post("/v1/webhooks/posthog", body, content_type="application/json", headers=headers, **options)


def test_deliveries_of_a_webhook_source_have_a_limit_of_their_own(limit, posthog):
    limit(webhooks=2)
    answers = [deliver("s3cret", name) for name in ("one", "two", "three")]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == ["one", "two"]


def test_deliveries_without_a_proof_are_counted_by_address_and_take_no_room_from_the_source(limit, address, posthog):
    limit(webhooks=1, unauthenticated=2)
    guesses = [deliver(f"guess {number}", "one", REMOTE_ADDR=address) for number in range(3)]
    assert [one.status_code for one in guesses] == [401, 401, 429]
    assert deliver("s3cret", "two").status_code == 200
