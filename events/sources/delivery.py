"""One delivery on its way to the one door of all events: translated, checked, stored."""

import json
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
import structlog

from contacts.rules import keys_of
from events.rules import MAX_IDEMPOTENCY_KEY, moment_of
from events.sources.definitions import Incoming, InvalidPayloadError, WebhookEvent, WebhookSource
from events.submission import Answer, Submission
from events.submit import submit_events
from events.wire import decode_event
from hogsend.api.errors import ApiError
from hogsend.api.parsers import check_json, decode
from hogsend.lib.fields import InvalidFieldError, check_address

INVALID = "Invalid payload"
TENANT = "main"
RETRY_AFTER = {"Retry-After": "5"}
LATER = "The delivery could not be stored now; send it again."
LONGEST_SENTENCE, LONGEST_TRACE = 500, 20_000
FAULT = 500
AT_ONCE = 250  # events per transaction: each holds the locks of a few keys, and lock tables are finite

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a source has sent, proven and as it came; its id is that of the dead letter that it may become."""

    id: UUID
    source: WebhookSource
    payload: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a delivery, or a part of it, could not be stored; ``passing`` when it may succeed by itself later."""

    sentence: str
    trace: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one event of a delivery: an answer, a skip because nobody is named, or a fault."""

    event: WebhookEvent
    answer: Answer | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery. Without events it was not wanted; ``fault`` says that it must be kept."""

    told: tuple[Told, ...] = ()
    fault: Fault | None = None


def deliver(delivery: Delivery, *, now: datetime) -> Outcome:
    """Translate a delivery and store its events; the same delivery again changes nothing.

    Raises ApiError: 400 when the source refuses the payload, 503 when nothing of it could be stored at this moment.
    """
    try:
        prepared = _prepared(delivery, now)
    except InvalidPayloadError as error:
        raise ApiError(
            400,
            INVALID,
            [{"path": error.path, "code": "invalid", "message": _storable(error.sentence, LONGEST_SENTENCE)}],
        ) from error
    except ApiError:
        raise
    except Exception as error:
        log.exception("webhooks.translator_failed", source=delivery.source.id, delivery=str(delivery.id))
        return Outcome(fault=_fault(error))
    outcomes = iter(_stored([one for _, one in prepared if isinstance(one, Submission)]))
    told = tuple(_told(event, next(outcomes) if isinstance(one, Submission) else one) for event, one in prepared)
    faults = [one.fault for one in told if one.fault is not None]
    if faults and all(fault.passing for fault in faults) and not any(one.answer for one in told):
        raise ApiError(503, LATER, headers=RETRY_AFTER)
    return Outcome(told, faults[0] if faults else None)


def _stored(submissions: Sequence[Submission]) -> list[Answer | ApiError]:
    slices = [submissions[start : start + AT_ONCE] for start in range(0, len(submissions), AT_ONCE)]
    return [outcome for slice_ in slices for outcome in submit_events(slice_)]


def _prepared(delivery: Delivery, now: datetime) -> list[tuple[WebhookEvent, Submission | ApiError | None]]:
    incoming = Incoming(decode(delivery.payload.encode()), delivery.headers)
    events = [_usable(event, now) for event in _events(delivery.source.translate(incoming))]
    keys = _keys(delivery, events)
    return [(event, _submission(event, key, now)) for event, key in zip(events, keys, strict=True)]


def _events(returned: Any) -> list[WebhookEvent]:
    found = [] if returned is None else [returned] if isinstance(returned, WebhookEvent) else list(returned)
    for one in found:
        if not isinstance(one, WebhookEvent):
            raise TypeError(
                f"translate gave {type(one).__name__}; it must return a WebhookEvent, a list of them or None."
            )
    return found


def _usable(event: WebhookEvent, now: datetime) -> WebhookEvent:
    """Leave out what other products send in the place of an address or a time, rather than lose the event."""
    email, timestamp = event.email, event.timestamp
    try:
        check_address(keys_of(email=email).email)
    except InvalidFieldError:
        email = None
    try:
        text = timestamp.isoformat() if isinstance(timestamp, datetime) else timestamp
        timestamp = text if text is None or moment_of(text, now=now) else None
    except (InvalidFieldError, TypeError):
        timestamp = None
    if (email, timestamp is None) != (event.email, event.timestamp is None):
        log.info("webhooks.left_out", name=event.name, email=email != event.email, timestamp=timestamp is None)
    return replace(event, email=email, timestamp=timestamp)


def _keys(delivery: Delivery, events: Sequence[WebhookEvent]) -> list[str]:
    """Give every event a key that is the same whenever the delivery comes, and its own within the delivery."""
    source, seen, keys = delivery.source, Counter[str](), []
    whole = source.verify.delivery_id(delivery.headers) or str(delivery.id)
    for event in events:
        name = event.idempotency_key or whole
        key = f"webhook:{source.id}:{name}:{seen[name]}" if seen[name] else f"webhook:{source.id}:{name}"
        seen[name] += 1
        short = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        keys.append(key if len(key) <= MAX_IDEMPOTENCY_KEY and key.isprintable() else f"webhook:{source.id}:{short}")
    return keys


def _submission(event: WebhookEvent, key: str, now: datetime) -> Submission | ApiError | None:
    """Take an event through the checks of the events API; None when it names nobody."""
    if not keys_of(user_id=event.user_id, email=event.email, anonymous_id=event.anonymous_id):
        return None
    body = {
        "name": event.name,
        "userId": event.user_id,
        "email": event.email,
        "anonymousId": event.anonymous_id,
        "eventProperties": dict(event.properties),
        "contactProperties": None if event.contact_properties is None else dict(event.contact_properties),
        "timestamp": event.timestamp,
    }
    # The standard library writes whole numbers of any size, which the faster encoder refuses.
    encoded = json.dumps(body, default=msgspec.to_builtins, allow_nan=False).encode()
    try:
        check_json(encoded)
        return decode_event(encoded, tenant=TENANT, now=now, idempotency_key=key)
    except ApiError as error:
        return error


def _told(event: WebhookEvent, outcome: Answer | ApiError | None) -> Told:
    if not isinstance(outcome, ApiError):
        return Told(event, answer=outcome)
    sentence = f"The event {event.name!r} was not stored: {said(outcome)}"
    return Told(event, fault=Fault(_storable(sentence, LONGEST_SENTENCE), passing=outcome.status >= FAULT))


def said(error: ApiError) -> str:
    """Return a refusal as one sentence, with what its first detail adds."""
    if error.status == FAULT:
        return "the engine failed with it; the log of that moment says why, then retry."
    more = error.details[0]["message"] if error.details else error.message
    return error.message if more == error.message else f"{error.message}: {more}"


def _fault(error: Exception) -> Fault:
    trace = "".join(traceback.format_exception(error))
    sentence = f"{type(error).__name__}: {error}"
    return Fault(_storable(sentence, LONGEST_SENTENCE), _storable(trace[-LONGEST_TRACE:], LONGEST_TRACE))


def _storable(text: str, longest: int) -> str:
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode()
