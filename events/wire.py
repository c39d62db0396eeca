"""Events as they look on the wire: decoding, refusals that say what to do, and answers."""

from datetime import datetime
from typing import Any

import msgspec

from contacts.rules import keys_of
from events.rules import MAX_BATCH, MAX_IDEMPOTENCY_KEY, check_name, fingerprint, moment_of
from events.submission import Answer, Submission
from hogsend.api.decoding import decode_body, fields_refused, malformed
from hogsend.api.errors import ApiError
from hogsend.api.parsers import TOO_DEEP
from hogsend.lib.fields import MAX_ID, InvalidFieldError, check_address, check_patch, check_text
from hogsend.lib.ids import new_id

NO_IDENTITY = "email or userId is required (or anonymousId): say whose event this is."


class EventBody(msgspec.Struct, rename="camel"):
    """The JSON of one event. Unknown fields are ignored; null means absent."""

    name: str
    email: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    event_properties: msgspec.Raw = msgspec.Raw()
    contact_properties: dict[str, msgspec.Raw] | None = None
    lists: dict[str, bool] | None = None
    idempotency_key: str | None = None
    timestamp: str | None = None


_event = msgspec.json.Decoder(EventBody)
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, Any])


def decode_event(body: bytes, *, tenant: str, now: datetime, idempotency_key: str | None = None) -> Submission:
    """Read one event. A given ``idempotency_key`` (the header) beats the body's; empty means none.

    Raises ApiError 400 with the field and what to do about it.
    """
    event = decode_body(body, _event.decode)
    with fields_refused():
        return _submission(event, tenant=tenant, now=now, header=idempotency_key)


def split_batch(body: bytes) -> list[bytes]:
    """Cut a batch into the JSON of its events. Raises ApiError 400 when it is no array, or too long."""
    try:
        items = _batch.decode(body)
    except RecursionError as error:
        raise ApiError(400, TOO_DEEP) from error
    except msgspec.ValidationError as error:
        raise ApiError(400, "The body of a batch must be a JSON array of events.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise malformed(error) from error
    if len(items) > MAX_BATCH:
        sentence = f"A batch holds at most {MAX_BATCH} events, and this one holds {len(items)}; send it in parts."
        raise ApiError(400, sentence, [{"path": [], "code": "too_many", "message": sentence}])
    return [bytes(item) for item in items]


def answer_body(answer: Answer) -> dict[str, Any]:
    """Build the answer to one event."""
    exits = [{"journeyId": one.journey_id, "stateId": str(one.run_id), "exited": one.exited} for one in answer.exits]
    contact_id = None if answer.contact_id is None else str(answer.contact_id)
    body: dict[str, Any] = {"stored": answer.stored, "exits": exits, "contactId": contact_id}
    if answer.reason is not None:
        body["reason"] = answer.reason
    if answer.lists_error is not None:
        body["listsError"] = answer.lists_error
    return body


def _submission(event: EventBody, *, tenant: str, now: datetime, header: str | None) -> Submission:
    key = header if header is not None else event.idempotency_key
    check_name(event.name)
    check_text(event.user_id, field="userId", limit=MAX_ID)
    check_text(event.anonymous_id, field="anonymousId", limit=MAX_ID)
    check_text(key, field="idempotencyKey", limit=MAX_IDEMPOTENCY_KEY)
    keys = keys_of(user_id=event.user_id, email=event.email, anonymous_id=event.anonymous_id)
    check_address(keys.email)
    check_patch(event.contact_properties, field="contactProperties")
    if not keys:
        raise InvalidFieldError(NO_IDENTITY, code="missing_identity")
    properties, json = _properties(event.event_properties)
    return Submission(
        id=new_id(),
        name=event.name,
        keys=keys,
        properties=properties,
        properties_json=json,
        patch=event.contact_properties,
        lists=event.lists,
        occurred_at=None if event.timestamp is None else moment_of(event.timestamp, now=now),
        tenant=tenant,
        idempotency_key=key or None,
        fingerprint=_fingerprint(event) if key else b"",
    )


def _properties(raw: msgspec.Raw) -> tuple[dict[str, Any], str]:
    """Return the properties decoded for those who read them, and as they were sent, with every digit, for storing."""
    sent = bytes(raw)
    if sent in {b"", b"null"}:
        return {}, "{}"
    try:
        return _object.decode(sent), sent.decode()
    except msgspec.ValidationError as error:
        sentence = "eventProperties must be an object whose numbers are in range."
        raise InvalidFieldError(sentence, path=["eventProperties"], code="invalid_type") from error
    except (msgspec.DecodeError, ValueError) as error:
        sentence = "eventProperties holds text that is not valid Unicode; correct it."
        raise InvalidFieldError(sentence, path=["eventProperties"], code="invalid_text") from error


def _fingerprint(event: EventBody) -> bytes:
    keys = keys_of(user_id=event.user_id, email=event.email, anonymous_id=event.anonymous_id)
    return fingerprint(
        {
            "name": event.name,
            "keys": keys.pairs(),
            "eventProperties": _meaning(event.event_properties),
            "contactProperties": {name: _meaning(raw) for name, raw in (event.contact_properties or {}).items()},
            "lists": event.lists or {},
            "timestamp": event.timestamp,
        }
    )


def _meaning(raw: msgspec.Raw) -> Any:
    """Decode, so that spaces and the order of fields do not count; what cannot be decoded counts as it stands."""
    sent = bytes(raw)
    try:
        return msgspec.json.decode(sent) if sent else None
    except (msgspec.DecodeError, ValueError):
        return sent.decode()
