"""POST /v1/webhooks/<source>, as other products see it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from contacts.models import Contact
from events.definitions import Batch
from events.models import DeadLetter, Event, IdempotencyKey, WebhookSkip
from events.sources.definitions import Incoming, InvalidPayloadError, WebhookEvent, WebhookSource, registry
from events.sources.schemes import hmac_sha256_hex, standard_webhooks
from tests.integration.events import probes

pytestmark = pytest.mark.django_db

SECRET = "s3cret"
STANDARD = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


HERE = "tests.integration.events.test_webhooks"


def a_fault(batch: Batch) -> None:
    """A consumer with a fault that shows in events named bad."""
    if any(event.name == "bad" for event in batch.events):
        raise RuntimeError("a consumer with a fault")


def an_outage(batch: Batch) -> None:
    """A database that goes away when an event named bad comes."""
    if any(event.name == "bad" for event in batch.events):
        raise OperationalError("the server closed the connection unexpectedly")


def a_number_out_of_range(batch: Batch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1e200000::float8")


def orders(incoming: Incoming) -> WebhookEvent | list[WebhookEvent] | None:
    """A translator that does what the payload says."""
    payload = incoming.payload
    if payload.get("skip"):
        return None
    if payload.get("bad"):
        raise InvalidPayloadError("bad must be absent.", path=["bad"])
    if payload.get("crash"):
        raise RuntimeError(payload["crash"])
    if "many" in payload:
        return [WebhookEvent(**one) for one in payload["many"]]
    return WebhookEvent(
        payload.get("name", "order.completed"),
        user_id=payload.get("user"),
        email=payload.get("email"),
        properties=payload.get("properties", {}),
        timestamp=payload.get("at"),
        idempotency_key=payload.get("id"),
    )


@pytest.fixture
def shop(settings) -> Iterator[WebhookSource]:
    """A shop with a shared secret."""
    settings.WEBHOOK_SECRETS = {"SHOP_WEBHOOK_SECRET": SECRET}
    with registry.scratch():
        yield WebhookSource("shop", secret="SHOP_WEBHOOK_SECRET", translate=orders)


@pytest.fixture
def send(client, shop):
    """Deliver JSON (or raw bytes) to the shop with its secret."""

    def deliver(body: object, source: str = "shop", **headers: str):
        named = {"X-Webhook-Secret": SECRET} | {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"/v1/webhooks/{source}", body, content_type="application/json", headers=named)

    return deliver


def test_an_event_is_stored_with_its_person_and_answered(send, listeners):
    listeners(probes.end_a_run)

    answer = send({"name": "stop", "user": "eve", "email": "Eve@Example.com", "properties": {"total": 7}})

    event, contact = Event.objects.get(), Contact.objects.get()
    body = answer.json()
    assert answer.status_code == 200
    assert (body["ok"], body["event"], body["userId"], body["stored"]) == (True, "stop", "eve", True)
    assert [(one["journeyId"], one["exited"]) for one in body["exits"]] == [("welcome", True), ("tips", False)]
    assert body["contactId"] == str(contact.id)
    assert (event.name, event.properties, contact.email) == ("stop", {"total": 7}, "eve@example.com")


def test_the_payload_says_when_it_happened(send):
    send({"user": "eve", "at": "2025-06-01T10:00:00+02:00"})

    assert Event.objects.get().occurred_at == datetime(2025, 6, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("at", ["yesterday", "2999-01-01T00:00:00Z", 7])
def test_a_time_that_cannot_be_is_that_of_the_delivery(send, at):
    assert send({"user": "eve", "at": at}).json()["stored"] is True

    event = Event.objects.get()
    assert event.occurred_at == event.received_at


def test_an_address_that_is_none_does_not_cost_the_event(send):
    assert send({"user": "eve", "email": "unknown"}).json()["stored"] is True

    assert Contact.objects.get().email is None


def test_the_same_delivery_is_stored_once(send):
    first = send({"user": "eve", "id": "o1"})
    again = send({"user": "eve", "id": "o1"})

    assert (first.json()["stored"], again.json()["stored"]) == (True, False)
    assert again.json()["contactId"] == first.json()["contactId"]
    assert Event.objects.count() == 1
    assert IdempotencyKey.objects.get().key == "webhook:shop:o1"


def test_deliveries_without_any_name_are_different_deliveries(send):
    send({"user": "eve"})
    send({"user": "eve"})

    assert Event.objects.count() == 2


def test_several_events_are_stored_and_answered_in_order(send):
    many = [{"name": "a", "user_id": "eve"}, {"name": "b"}, {"name": "c", "email": "ben@example.com"}]

    body = send({"many": many}).json()

    assert (body["ok"], body["event"], body["stored"]) == (True, "a", True)
    assert [one.get("event") for one in body["events"]] == ["a", None, "c"]
    assert body["events"][1]["skipped"] is True
    assert set(Event.objects.values_list("name", flat=True)) == {"a", "c"}


def test_a_delivery_may_bring_more_events_than_fit_into_one_transaction(send):
    many = [{"name": "n", "user_id": f"u{number % 7}"} for number in range(600)]

    body = send({"many": many}).json()

    assert [one["stored"] for one in body["events"]] == [True] * 600
    assert Event.objects.count() == 600


@pytest.mark.parametrize("body", [{"skip": True}, {"many": []}])
def test_what_the_source_does_not_take_is_skipped_and_counted(send, body):
    send(body)
    answer = send(body)

    assert (answer.status_code, answer.json()) == (200, {"ok": True, "skipped": True})
    assert WebhookSkip.objects.values_list("source_id", "reason", "count").get() == ("shop", "not_wanted", 2)


@pytest.mark.parametrize("body", [{"name": "n"}, {"name": "n", "user": " "}, {"name": "n", "email": "nobody"}])
def test_an_event_of_nobody_is_skipped_with_a_reason_and_counted(send, body):
    answer = send(body)

    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["skipped"]) == (True, True)
    assert "say whose event this is" in answer.json()["reason"]
    assert WebhookSkip.objects.values_list("source_id", "reason", "count").get() == ("shop", "no_identity", 1)
    assert not Event.objects.exists()


@pytest.mark.parametrize("source", ["nowhere", "Shop", "shop ", "ä"])
def test_an_unknown_source_is_not_found(send, source):
    answer = send({"user": "eve"}, source=source)

    assert (answer.status_code, answer.json()) == (404, {"error": "Unknown webhook source"})


@pytest.mark.parametrize("secret", ["", "other", SECRET.upper(), "sécret", f"Bearer {SECRET}"])
def test_a_wrong_secret_is_refused_before_anything_is_read(send, secret):
    answer = send(b"{ no json", X_Webhook_Secret=secret)

    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid webhook secret"})


def test_a_bearer_is_a_secret_too(client, shop):
    answer = client.post(
        "/v1/webhooks/shop", {"user": "eve"}, "application/json", headers={"Authorization": f"Bearer {SECRET}"}
    )

    assert answer.json()["stored"] is True


@pytest.mark.parametrize("headers", [{}, {"X_Webhook_Secret": ""}, {"Authorization": "Bearer "}])
def test_a_source_without_its_secret_is_closed_to_everybody(send, settings, headers):
    settings.WEBHOOK_SECRETS = {}

    answer = send({"user": "eve"}, **headers)

    assert answer.status_code == 401
    assert "closed because SHOP_WEBHOOK_SECRET is not set" in answer.json()["error"]
    assert not Event.objects.exists()


def test_a_public_source_is_open_until_it_has_a_secret(send, settings):
    WebhookSource("form", secret="FORM_WEBHOOK_SECRET", public=True, translate=orders)
    settings.WEBHOOK_SECRETS = {}
    opened = send({"user": "eve"}, source="form", X_Webhook_Secret="")
    settings.WEBHOOK_SECRETS = {"FORM_WEBHOOK_SECRET": "other"}
    closed = send({"user": "eve"}, source="form", X_Webhook_Secret="")

    assert (opened.status_code, closed.status_code) == (200, 401)


def test_a_secret_that_the_scheme_cannot_use_closes_the_source(send, settings):
    WebhookSource("svix", secret="SVIX_WEBHOOK_SECRET", verify=standard_webhooks, translate=orders)
    settings.WEBHOOK_SECRETS = {"SVIX_WEBHOOK_SECRET": "whsec_"}

    answer = send({"user": "eve"}, source="svix")

    assert answer.status_code == 401
    assert "SVIX_WEBHOOK_SECRET" in answer.json()["error"]


def test_a_standard_webhook_is_known_by_its_id(send, settings):
    WebhookSource("svix", secret="SVIX_WEBHOOK_SECRET", verify=standard_webhooks, translate=orders)
    settings.WEBHOOK_SECRETS = {"SVIX_WEBHOOK_SECRET": STANDARD}
    body, now = json.dumps({"user": "eve"}), datetime.now(UTC)
    headers = {
        "Svix_Id": "msg_1",
        "Svix_Timestamp": str(int(now.timestamp())),
        "Svix_Signature": Webhook(STANDARD).sign("msg_1", now, body),
    }

    answers = [send(body.encode(), source="svix", **headers).json()["stored"] for _ in range(2)]

    assert answers == [True, False]
    assert IdempotencyKey.objects.get().key == "webhook:svix:msg_1"


def test_a_signature_is_that_of_the_bytes_that_came(send, settings):
    WebhookSource("hub", secret="SHOP_WEBHOOK_SECRET", verify=hmac_sha256_hex("X-Hub"), translate=orders)
    body = b'{ "user" :\n"eve" }'
    good = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

    assert send(body, source="hub", X_Hub=good).status_code == 200
    assert send(body + b" ", source="hub", X_Hub=good).status_code == 401


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "Malformed JSON"),
        (b"{", "Malformed JSON"),
        (b'{"user": 1e999}', "Malformed JSON"),
        (b'{"user": "\\ud800"}', "Malformed JSON"),
        (b"\xff", "UTF-8"),
        (b'{"user": "\\u0000"}', "NUL"),
        (b"[" * 200 + b"]" * 200, "deeper"),
    ],
)
def test_a_body_that_is_no_good_json_is_refused(send, body, sentence):
    answer = send(body)

    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
    assert not DeadLetter.objects.exists()


def test_a_body_that_is_too_large_is_refused(send, settings):
    settings.HOGSEND_MAX_BODY_BYTES = 100

    assert send({"user": "e" * 100}).status_code == 413


def test_what_the_source_refuses_is_refused_with_the_place(send):
    answer = send({"bad": True})

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Invalid payload",
        "details": [{"path": ["bad"], "code": "invalid", "message": "bad must be absent."}],
    }
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_deliveries_are_posted(client, shop, method):
    assert getattr(client, method)("/v1/webhooks/shop").status_code == 405


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_delivery_is_json_whatever_its_header_says(client, shop, content_type):
    headers = {"X-Webhook-Secret": SECRET}

    answer = client.post("/v1/webhooks/shop", b'{"user":"eve"}', content_type=content_type, headers=headers)

    assert answer.json()["stored"] is True


@pytest.mark.parametrize("consumer", [a_fault, an_outage])
def test_what_cannot_be_stored_now_is_asked_for_again_and_kept_nowhere(send, settings, consumer):
    settings.HOGSEND_EVENT_CONSUMERS = [f"{HERE}.{consumer.__name__}"]

    answer = send({"name": "bad", "user": "eve"})

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("consumer", [a_fault, an_outage])
def test_a_delivery_of_which_a_part_was_stored_is_kept_and_not_asked_for_again(send, settings, consumer):
    settings.HOGSEND_EVENT_CONSUMERS = [f"{HERE}.{consumer.__name__}"]

    answer = send({"many": [{"name": "bad", "user_id": "eve"}, {"name": "good", "user_id": "eve"}]})

    letter = DeadLetter.objects.get()
    assert (answer.status_code, answer.json()["deadLetter"], answer.json()["event"]) == (200, str(letter.id), "good")
    assert [one["stored"] for one in answer.json()["events"]] == [False, True]


def test_what_only_the_database_refuses_is_kept_and_not_asked_for_again(send, settings):
    settings.HOGSEND_EVENT_CONSUMERS = [f"{HERE}.a_number_out_of_range"]

    answer = send({"name": "bad", "user": "eve"})

    assert (answer.status_code, answer.json()["deadLetter"]) == (200, str(DeadLetter.objects.get().id))
    assert "cannot be stored" in DeadLetter.objects.get().error


def test_when_even_a_dead_letter_cannot_be_kept_the_sender_keeps_it(send):
    with connection.cursor() as cursor:
        cursor.execute("alter table events_deadletter add constraint full_disk check (false)")

    answer = send({"crash": "boom"})

    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("name", "user", "email", "properties", "at", "id", "many", "skip", "event", "person", "type"), JSON
    ),
)
BODIES = st.binary(max_size=60) | (JSON | EVENTS).map(lambda value: json.dumps(value).encode())
BODIES |= st.fixed_dictionaries(
    {"event": st.fixed_dictionaries({"event": JSON, "distinct_id": JSON, "properties": JSON, "timestamp": JSON})},
    optional={"person": st.fixed_dictionaries({"properties": JSON})},
).map(lambda value: json.dumps(value).encode())
BODIES |= st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page", "group"]), "userId": JSON, "traits": JSON, "event": JSON}
).map(lambda value: json.dumps(value).encode())
BODIES |= st.fixed_dictionaries(
    {
        "id": JSON,
        "type": st.sampled_from(["invoice.paid", "customer.created", "x"]),
        "created": st.integers(),
        "data": st.fixed_dictionaries({"object": JSON}),
    }
).map(lambda value: json.dumps(value).encode())


@given(body=BODIES)
@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.parametrize("source", ["shop", "posthog", "segment", "stripe"])
def test_no_body_is_ever_answered_with_a_fault(client, shop, source, body):
    translate = registry.get(source).translate
    with registry.scratch():
        WebhookSource("open", public=True, translate=translate)

        answer = client.post("/v1/webhooks/open", body, content_type="application/json")

    assert answer.status_code < 500, (body, answer.content)
    assert answer.status_code == 200 or answer.json()["error"]
