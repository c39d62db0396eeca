"""The signed links in mail: base64url(JSON) + "." + base64url(HMAC-SHA256), readable without any stored state."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings

LIFE = timedelta(days=30)
NEVER = 253_402_300_799  # the last second of the year 9999; readers of the format expect a number
LONGEST = 4096
PURPOSE = b"hogsend.preferences.tokens"


class Action(StrEnum):
    """What the bearer of a link may do."""

    UNSUBSCRIBE = "unsubscribe"
    RESUBSCRIBE = "resubscribe"
    MANAGE = "manage"


class InvalidTokenError(ValueError):
    """The link cannot be honoured; the message says why, without naming anybody."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who a link is for and what it may do. No category means all mail."""

    external_id: str
    email: str
    action: Action
    category: str | None = None
    contact_id: UUID | None = None
    send_id: UUID | None = None


def sign(claims: Claims, *, now: datetime) -> str:
    """Return the token for ``claims``: good for ever to unsubscribe, for 30 days to do anything else."""
    forever = claims.action is Action.UNSUBSCRIBE
    payload: dict[str, Any] = {
        "externalId": claims.external_id,
        "email": claims.email,
        "action": claims.action.value,
        "exp": NEVER if forever else int((now + LIFE).timestamp()),
        "category": claims.category,
        "contactId": claims.contact_id and str(claims.contact_id),
        "sendId": claims.send_id and str(claims.send_id),
    }
    present = {name: value for name, value in payload.items() if value is not None}
    body = _encode(json.dumps(present, separators=(",", ":"), ensure_ascii=False).encode())
    return f"{body}.{_mac(body, _derived(settings.SECRET_KEY))}"


def read(token: str, *, now: datetime) -> Claims:
    """Return what ``token`` says. Raises InvalidTokenError."""
    body, signature = _split(token)
    # Every key is tried, so that the time taken does not tell which one fits.
    if not sum(hmac.compare_digest(_mac(body, key).encode(), signature.encode()) for key in _keys()):
        raise InvalidTokenError("Invalid token signature")
    payload = _payload(body)
    claims = _claims(payload)
    # An opt-out is honoured however old the mail is, whatever expiry an older release wrote into it.
    if claims.action is not Action.UNSUBSCRIBE and payload["exp"] < now.timestamp():
        raise InvalidTokenError("Token has expired")
    return claims


def _split(token: str) -> tuple[str, str]:
    parts = token.split(".")
    if len(parts) != 2 or not all(parts) or len(token) > LONGEST or not token.isascii():  # noqa: PLR2004 - body, signature
        raise InvalidTokenError("Malformed token")
    return parts[0], parts[1]


def _keys() -> list[bytes]:
    derived = [_derived(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    legacy = settings.HOGSEND_LEGACY_TOKEN_SECRET
    return [*derived, legacy.encode()] if legacy else derived


def _derived(secret: str) -> bytes:
    return hmac.digest(secret.encode(), PURPOSE, hashlib.sha256)


def _mac(body: str, key: bytes) -> str:
    return _encode(hmac.digest(key, body.encode(), hashlib.sha256))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _payload(body: str) -> dict[str, Any]:
    try:
        payload = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError as error:
        raise InvalidTokenError("Malformed token payload") from error
    if not isinstance(payload, dict):
        raise InvalidTokenError("Malformed token payload")
    return payload


def _claims(payload: dict[str, Any]) -> Claims:
    try:
        claims = Claims(
            external_id=_text(payload["externalId"]),
            email=_text(payload["email"]),
            action=Action(payload["action"]),
            category=None if payload.get("category") is None else _text(payload["category"]),
            contact_id=_uuid(payload.get("contactId")),
            send_id=_uuid(payload.get("sendId")),
        )
        if claims.action is not Action.UNSUBSCRIBE and type(payload["exp"]) not in {int, float}:
            raise InvalidTokenError("Incomplete token payload")
    except (KeyError, ValueError) as error:
        raise InvalidTokenError("Incomplete token payload") from error
    return claims


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidTokenError("Incomplete token payload")
    return value


def _uuid(value: object) -> UUID | None:
    return None if value is None else UUID(_text(value))
