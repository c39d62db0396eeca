"""Three products that tell about people: PostHog, Segment and Stripe. Each is closed until its secret is set."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hogsend.authoring import (
    Incoming,
    WebhookEvent,
    WebhookSource,
    hmac_sha1_hex,
    shared_secret,
    stripe_signature,
)

STRIPE_TYPES: Final = frozenset(
    {
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.paid",
        "invoice.payment_failed",
        "checkout.session.completed",
    }
)


@dataclass
class PostHogEvent:
    """What was captured."""

    event: str
    distinct_id: str
    uuid: str | None = None
    timestamp: str | None = None
    properties: dict[str, Any] | None = None


@dataclass
class PostHogPerson:
    """Whose it is, if PostHog knows."""

    properties: dict[str, Any] | None = None


@dataclass
class PostHogDelivery:
    """What a destination of PostHog sends."""

    event: PostHogEvent
    person: PostHogPerson | None = None


def from_posthog(incoming: Incoming) -> WebhookEvent:
    """Every captured event, under its own name."""
    delivery = incoming.read(PostHogDelivery)
    event, person = delivery.event, (delivery.person and delivery.person.properties) or {}
    return WebhookEvent(
        event.event,
        user_id=event.distinct_id,
        email=_text(person.get("email")),
        properties={**(event.properties or {}), **({"_posthogEventId": event.uuid} if event.uuid else {})},
        contact_properties=person,
        timestamp=event.timestamp,
        idempotency_key=event.uuid,
    )


@dataclass
class SegmentContext:
    """What Segment knew when it was called."""

    traits: dict[str, Any] | None = None


@dataclass
class SegmentCall:
    """One call of Segment's specification, such as track."""

    type: str
    messageId: str | None = None  # noqa: N815 - Segment's names
    userId: str | int | None = None  # noqa: N815
    anonymousId: str | None = None  # noqa: N815
    event: str | None = None
    name: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: SegmentContext | None = None
    timestamp: str | None = None


def from_segment(incoming: Incoming) -> WebhookEvent | None:
    """Calls that tell what somebody did; group and alias do not."""
    call = incoming.read(SegmentCall)
    properties = dict(call.properties or {})
    if call.type == "track" and call.event:
        name = call.event
    elif call.type == "identify":
        name = "user.identified"
    elif call.type in {"page", "screen"}:
        name, properties = "page.viewed", {**({"name": call.name} if call.name else {}), **properties}
    else:
        return None
    seen_with = (call.context and call.context.traits) or {}
    return WebhookEvent(
        name,
        user_id=None if call.userId is None else str(call.userId),
        email=_text((call.traits or {}).get("email") or seen_with.get("email")),
        anonymous_id=call.anonymousId,
        properties=properties,
        contact_properties=call.traits if call.type == "identify" else None,
        timestamp=call.timestamp,
        idempotency_key=call.messageId,
    )


@dataclass
class StripeData:
    """The thing that the event is about, as it is now."""

    object: dict[str, Any]


@dataclass
class StripeEvent:
    """What an event destination of Stripe sends."""

    id: str
    type: str
    data: StripeData
    created: int | None = None


def from_stripe(incoming: Incoming) -> WebhookEvent | None:
    """What customers, subscriptions, invoices and checkouts go through; all else is skipped."""
    event = incoming.read(StripeEvent)
    if event.type not in STRIPE_TYPES:
        return None
    thing = event.data.object
    details, metadata = _object(thing.get("customer_details")), _object(thing.get("metadata"))
    customer = _text(thing.get("id") if thing.get("object") == "customer" else thing.get("customer"))
    return WebhookEvent(
        f"stripe.{event.type}",
        user_id=_text(metadata.get("userId") or metadata.get("user_id") or thing.get("client_reference_id")),
        email=_text(thing.get("email") or thing.get("customer_email") or details.get("email")),
        # Subscriptions name a customer and no address; what was said of the customer before finds the person.
        anonymous_id=f"stripe:{customer}" if customer else None,
        properties={**_plain(thing), "_stripeEventId": event.id},
        contact_properties={"stripeCustomerId": customer} if customer else None,
        timestamp=None if event.created is None else datetime.fromtimestamp(event.created, tz=UTC),
        idempotency_key=event.id,
    )


def _plain(thing: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in thing.items() if isinstance(value, str | int | float | bool)}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


posthog = WebhookSource(
    "posthog",
    name="PostHog",
    description="A webhook destination of PostHog, with the secret in the header x-posthog-webhook-secret.",
    secret="POSTHOG_WEBHOOK_SECRET",  # noqa: S106 - the name of a variable
    verify=shared_secret("x-posthog-webhook-secret"),
    translate=from_posthog,
)
segment = WebhookSource(
    "segment",
    name="Segment",
    description="A webhook destination of Segment, with a shared secret.",
    secret="SEGMENT_WEBHOOK_SECRET",  # noqa: S106 - the name of a variable
    verify=hmac_sha1_hex("x-signature"),
    translate=from_segment,
)
stripe = WebhookSource(
    "stripe",
    name="Stripe",
    description="An event destination of Stripe, with its signing secret.",
    secret="STRIPE_WEBHOOK_SECRET",  # noqa: S106 - the name of a variable
    verify=stripe_signature,
    translate=from_stripe,
)
