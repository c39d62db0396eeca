"""The shipped sources, under the signatures of those who send."""

import hashlib
import hmac
import json
import time

import pytest

from contacts.models import Contact, ContactKey
from events.models import Event

pytestmark = pytest.mark.django_db

SECRET = "s3cret"
POSTHOG = {
    "event": {
        "uuid": "0190-1",
        "event": "plan viewed",
        "distinct_id": "eve",
        "timestamp": "2025-06-01T10:00:00Z",
        "properties": {"plan": "pro"},
        "url": "https://eu.posthog.com/…",
    },
    "person": {"id": "p1", "name": "Eve", "properties": {"email": "eve@example.com", "company": "Acme"}},
    "groups": {},
    "project": {"id": 1},
}


@pytest.fixture(autouse=True)
def secrets(settings):
    settings.WEBHOOK_SECRETS = {f"{name}_WEBHOOK_SECRET": SECRET for name in ("POSTHOG", "SEGMENT", "STRIPE")}


def signed(source: str, body: bytes) -> dict[str, str]:
    if source == "posthog":
        return {"X-PostHog-Webhook-Secret": SECRET}
    if source == "segment":
        return {"X-Signature": hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}
    now = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={now},v1={signature},v0=00"}


@pytest.fixture
def send(client):
    def deliver(source: str, payload: object):
        body = json.dumps(payload).encode()
        return client.post(
            f"/v1/webhooks/{source}", body, content_type="application/json", headers=signed(source, body)
        )

    return deliver


def test_posthog_keeps_the_two_bags_apart(send):
    answer = send("posthog", POSTHOG)

    event, contact = Event.objects.get(), Contact.objects.get()
    assert answer.json()["event"] == "plan viewed"
    assert event.properties == {"plan": "pro", "_posthogEventId": "0190-1"}
    assert contact.properties == {"email": "eve@example.com", "company": "Acme"}
    assert (contact.external_id, contact.email) == ("eve", "eve@example.com")
    assert event.occurred_at.isoformat() == "2025-06-01T10:00:00+00:00"


def test_posthog_is_heard_once(send):
    assert [send("posthog", POSTHOG).json()["stored"] for _ in range(2)] == [True, False]


def test_posthog_may_know_no_person_and_give_no_id(send):
    send("posthog", {"event": {"event": "$pageview", "distinct_id": "eve"}, "person": None})

    assert Event.objects.get().properties == {}
    assert (Contact.objects.get().email, Contact.objects.get().properties) == (None, {})


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, ["event"]),
        ({"event": {"event": "n"}}, ["event", "distinct_id"]),
        ({"event": {"event": 7, "distinct_id": "eve"}}, ["event", "event"]),
        ([], []),
    ],
)
def test_posthog_of_another_shape_is_refused(send, payload, path):
    answer = send("posthog", payload)

    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid payload")
    assert answer.json()["details"][0]["path"] == path


def test_segments_track_is_an_event(send):
    call = {"type": "track", "event": "Order Completed", "userId": "eve", "anonymousId": "v1", "messageId": "m1"}

    answers = [send("segment", {**call, "properties": {"total": 7}}).json() for _ in range(2)]

    assert [(one["event"], one["stored"]) for one in answers] == [("Order Completed", True), ("Order Completed", False)]
    assert Event.objects.get().properties == {"total": 7}
    assert set(ContactKey.objects.values_list("value", flat=True)) == {"eve", "v1"}


def test_segments_identify_tells_about_the_person(send):
    send("segment", {"type": "identify", "userId": 7, "traits": {"email": "eve@example.com", "plan": "pro"}})

    contact = Contact.objects.get()
    assert Event.objects.get().name == "user.identified"
    assert (contact.external_id, contact.email) == ("7", "eve@example.com")
    assert contact.properties == {"email": "eve@example.com", "plan": "pro"}


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_segments_pages_are_views(send, kind):
    context = {"traits": {"email": "eve@example.com"}}
    send("segment", {"type": kind, "name": "Home", "context": context, "properties": {"url": "/"}})

    assert (Event.objects.get().name, Event.objects.get().properties) == ("page.viewed", {"name": "Home", "url": "/"})
    assert Contact.objects.get().email == "eve@example.com"


@pytest.mark.parametrize("kind", ["group", "alias"])
def test_segments_other_calls_are_skipped(send, kind):
    assert send("segment", {"type": kind, "userId": "eve"}).json() == {"ok": True, "skipped": True}


def stripe(kind: str, thing: dict, event_id: str = "evt_1") -> dict:
    return {"id": event_id, "type": kind, "created": 1_748_772_000, "data": {"object": thing}}


def test_stripes_customer_and_subscription_are_one_person(send):
    customer = {"id": "cus_1", "object": "customer", "email": "eve@example.com", "metadata": {"userId": "eve"}}
    subscription = {"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", "items": {}}

    send("stripe", stripe("customer.created", customer))
    answer = send("stripe", stripe("customer.subscription.created", subscription, "evt_2"))

    contact = Contact.objects.get()
    assert answer.json()["event"] == "stripe.customer.subscription.created"
    assert (contact.external_id, contact.email) == ("eve", "eve@example.com")
    assert contact.properties == {"stripeCustomerId": "cus_1"}
    assert Event.objects.order_by("seq").last().properties["status"] == "active"


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("invoice.paid", {"object": "invoice", "customer_email": "eve@example.com", "amount_paid": 900}),
        ("invoice.payment_failed", {"object": "invoice", "customer_email": "eve@example.com"}),
        (
            "checkout.session.completed",
            {"object": "checkout.session", "customer_details": {"email": "eve@example.com"}},
        ),
    ],
)
def test_stripes_payments_name_the_address(send, kind, thing):
    assert send("stripe", stripe(kind, thing)).json()["event"] == f"stripe.{kind}"

    assert Contact.objects.get().email == "eve@example.com"
    assert Event.objects.get().properties["_stripeEventId"] == "evt_1"


def test_stripe_is_heard_once(send):
    paid = stripe("invoice.paid", {"object": "invoice", "customer_email": "eve@example.com"})

    assert [send("stripe", paid).json()["stored"] for _ in range(2)] == [True, False]


def test_stripes_other_events_are_skipped(send):
    assert send("stripe", stripe("charge.updated", {"object": "charge"})).json() == {"ok": True, "skipped": True}


@pytest.mark.parametrize("source", ["posthog", "segment", "stripe"])
def test_every_source_is_closed_to_strangers_and_without_its_secret(client, settings, source):
    wrong = client.post(f"/v1/webhooks/{source}", {}, "application/json")
    settings.WEBHOOK_SECRETS = {}
    closed = client.post(f"/v1/webhooks/{source}", {}, "application/json")

    assert (wrong.status_code, closed.status_code) == (401, 401)
    assert f"{source.upper()}_WEBHOOK_SECRET" in closed.json()["error"]
