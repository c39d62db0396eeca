"""How a sender proves that a delivery is theirs. Every comparison takes the same time whatever is presented."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from standardwebhooks import Webhook

WINDOW = timedelta(minutes=5)  # how far a signed time may lie from ours: an older recording is worth nothing
DEFAULT_HEADER = "x-webhook-secret"
BEARER = "Bearer "
STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
SVIX = ("svix-id", "svix-timestamp", "svix-signature")
SHA1: Callable[..., Any] = hashlib.sha1


@dataclass(frozen=True, slots=True)
class Proof:
    """What a delivery brings along to prove itself: headers by lower-case name, and the body as it was sent."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


class UnusableSecretError(ValueError):
    """The secret that is set cannot be one of this scheme; the message says how such a secret looks."""


class Check(Protocol):
    """Says whether a delivery proves itself under the secret. Raises UnusableSecretError."""

    def __call__(self, proof: Proof, secret: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of proving.

    Attributes:
        proving: Names of the headers that prove; they are neither kept nor shown to the translator.
        identifying: Names of the headers of which the first found names the delivery, whenever it is sent.
    """

    check: Check
    proving: frozenset[str]
    identifying: tuple[str, ...] = ()

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        """Return what the sender calls this delivery, if the scheme says so."""
        return next((headers[name] for name in self.identifying if headers.get(name)), None)


def shared_secret(header: str = DEFAULT_HEADER) -> Scheme:
    """The sender repeats the secret in ``header``, or else in ``Authorization: Bearer``."""
    name = header.lower()

    def check(proof: Proof, secret: str) -> bool:
        presented = proof.headers.get(name) or proof.headers.get("authorization", "").removeprefix(BEARER)
        return _equal(presented, secret)

    return Scheme(check, frozenset({name, "authorization"}))


def hmac_sha1_hex(header: str) -> Scheme:
    """``header`` holds the HMAC-SHA1 of the body in hexadecimal digits, as Segment's ``x-signature``."""
    return _hmac_hex(header, SHA1)


def hmac_sha256_hex(header: str) -> Scheme:
    """``header`` holds the HMAC-SHA256 of the body in hexadecimal digits, with or without ``sha256=`` before them."""
    return _hmac_hex(header, hashlib.sha256)


def _hmac_hex(header: str, digest: Callable[..., Any]) -> Scheme:
    name = header.lower()

    def check(proof: Proof, secret: str) -> bool:
        presented = proof.headers.get(name, "").strip().lower().removeprefix("sha256=")
        return _equal(presented, hmac.new(secret.encode(), proof.body, digest).hexdigest())

    return Scheme(check, frozenset({name}))


def _check_stripe(proof: Proof, secret: str) -> bool:
    parts = [part.strip().partition("=") for part in proof.headers.get("stripe-signature", "").split(",")]
    sent_at = next((value for name, _, value in parts if name == "t"), "")
    if not _is_fresh(sent_at, proof.now):
        return False
    signed = hmac.new(secret.encode(), sent_at.encode() + b"." + proof.body, hashlib.sha256).hexdigest()
    return any([_equal(value, signed) for name, _, value in parts if name == "v1"])  # noqa: C419 - all, at equal cost


def _check_standard(proof: Proof, secret: str) -> bool:
    names = STANDARD if STANDARD[0] in proof.headers else SVIX
    delivery_id, sent_at, signatures = (proof.headers.get(name, "") for name in names)
    try:
        webhook = Webhook(secret)
    except Exception as error:
        raise UnusableSecretError("it must be whsec_ and what follows in Base64, as the sender shows it.") from error
    if not (delivery_id and _is_fresh(sent_at, proof.now)):
        return False
    moment = datetime.fromtimestamp(int(sent_at), tz=UTC)
    signed = webhook.sign(delivery_id, moment, proof.body.decode(errors="replace"))
    return any([_equal(presented, signed) for presented in signatures.split()])  # noqa: C419 - all, at equal cost


def _is_fresh(seconds: str, now: datetime) -> bool:
    """Say whether a time in seconds since 1970 lies within the window; anything else does not."""
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= len("9999999999")):
        return False
    return abs(now.timestamp() - int(seconds)) <= WINDOW.total_seconds()


def _equal(presented: str, expected: str) -> bool:
    # Headers arrive as Latin-1, whatever the sender wrote; only so do the bytes come back.
    return hmac.compare_digest(presented.encode("latin-1", "backslashreplace"), expected.encode())


stripe_signature = Scheme(_check_stripe, frozenset({"stripe-signature"}))
standard_webhooks = Scheme(_check_standard, frozenset({*STANDARD[2:], *SVIX[2:]}), (STANDARD[0], SVIX[0]))
