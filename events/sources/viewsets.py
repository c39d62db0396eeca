"""POST /v1/webhooks/<source>: who sends, one call, and an answer that keeps the sender from sending in vain."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from events.sources.actions import take_delivery
from events.sources.definitions import WebhookSource, registry
from events.sources.delivery import LATER, RETRY_AFTER, Delivery, Outcome, Told
from events.sources.schemes import Proof, UnusableSecretError
from events.wire import NO_IDENTITY, answer_body
from hogsend.api.errors import ApiError
from hogsend.api.parsers import check_json, read_body
from hogsend.api.schema import Answer, Body, component, documented
from hogsend.api.throttles import count_delivery, count_stranger
from hogsend.lib.ids import new_id

# What a translator may look at and a dead letter may keep: nothing that opens a door, nothing about the transport.
PRIVATE = re.compile(r"auth|cookie|secret|signature|token|password|api-?key|hmac", re.IGNORECASE)
TRANSPORT = re.compile(r"(x-)?forwarded|x-real-ip|via$|host$|connection$|content-length$|accept", re.IGNORECASE)
LONGEST_HEADER = 1000
TAKEN = component(
    "WebhookTaken",
    {
        "type": "object",
        "required": ["ok"],
        "properties": {
            "ok": {"const": True},
            "event": {"type": "string", "description": "The event's name; of several, the first that was stored."},
            "userId": {"type": "string"},
            "contactId": {"type": ["string", "null"], "format": "uuid"},
            "stored": {"type": "boolean", "description": "False when it came before, or could not be stored."},
            "exits": {"type": "array", "items": {"type": "object"}, "description": "Runs that it ended or considered."},
            "events": {"type": "array", "items": {"type": "object"}, "description": "Each, when there are several."},
            "skipped": {"type": "boolean", "description": "The source did not take it."},
            "reason": {"type": "string", "description": "Why it was skipped or not stored."},
            "deadLetter": {"type": "string", "format": "uuid", "description": "Kept for staff; do not send it again."},
        },
    },
)

log = structlog.get_logger(__name__)


class WebhookViewSet(ViewSet):
    """What other products tell about people. No API key: every source has its own way of proving itself."""

    authentication_classes = ()
    permission_classes = ()

    @documented(
        "Tell what people did in another product",
        body=Body({}),
        answers=[
            Answer(
                200,
                TAKEN,
                "It was taken: stored, skipped, or kept as a dead letter.",
                {"stored": {"ok": True, "event": "order.completed", "userId": "ada", "stored": True, "exits": []}},
            )
        ],
        errors=(401, 404, 429, 503),
    )
    def create(self, request: Request, source_id: str) -> Response:
        """Take one delivery."""
        source, now = _source(source_id), datetime.now(UTC)
        body = read_body(request._request, limit=settings.HOGSEND_MAX_BODY_BYTES)  # noqa: SLF001
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            _prove(source, Proof(headers, body, now))
        except ApiError:
            count_stranger(request._request)  # noqa: SLF001 - the limiter knows Django's requests
            raise
        count_delivery(request, source.id)
        check_json(body)
        delivery = Delivery(new_id(), source, body.decode(), kept_headers(headers, source))
        try:
            outcome = take_delivery(delivery, now=now)
        except DatabaseError as error:
            log.exception("webhooks.not_kept", source=source.id)
            raise ApiError(503, LATER, headers=RETRY_AFTER) from error
        return Response(_body(delivery, outcome))


def kept_headers(headers: Mapping[str, str], source: WebhookSource) -> dict[str, str]:
    """Return the headers that may be kept and shown: none that proves the sender, none that is a secret."""
    return {
        name: value.replace("\0", "")
        for name, value in headers.items()
        if name not in source.verify.proving
        and not PRIVATE.search(name)
        and not TRANSPORT.match(name)
        and len(value) <= LONGEST_HEADER
    }


def _source(source_id: str) -> WebhookSource:
    if source_id not in registry:
        raise ApiError(404, "Unknown webhook source")
    return registry.get(source_id)


def _prove(source: WebhookSource, proof: Proof) -> None:
    """Refuse whoever does not prove to be the source, and everybody while the source has no usable secret."""
    secret = settings.WEBHOOK_SECRETS.get(source.secret, "")
    if not secret:
        if source.public:
            return
        log.warning("webhooks.closed", source=source.id, variable=source.secret)
        raise ApiError(
            401, f"This webhook source is closed because {source.secret} is not set; set it and start again."
        )
    try:
        proven = source.verify.check(proof, secret)
    except UnusableSecretError as error:
        log.warning("webhooks.closed", source=source.id, variable=source.secret, error=str(error))
        raise ApiError(401, f"This webhook source is closed because of what {source.secret} holds: {error}") from error
    if not proven:
        log.warning("webhooks.not_proven", source=source.id)
        raise ApiError(401, "Invalid webhook secret")


def _body(delivery: Delivery, outcome: Outcome) -> dict[str, Any]:
    told = [_event(one) for one in outcome.told]
    body: dict[str, Any] = {"ok": True}
    if outcome.fault is not None:
        body["deadLetter"] = str(delivery.id)
    elif not told:
        body["skipped"] = True
    body |= next((one for one in told if "event" in one), told[0] if told else {})
    return body | {"events": told} if len(told) > 1 else body


def _event(told: Told) -> dict[str, Any]:
    if told.fault is not None:
        return {"stored": False, "exits": [], "reason": told.fault.sentence}
    if told.answer is None:
        return {"skipped": True, "reason": NO_IDENTITY}
    named = {"event": told.event.name} | ({"userId": told.event.user_id} if told.event.user_id else {})
    return named | answer_body(told.answer)
