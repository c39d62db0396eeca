"""What came of handing one message over: accepted, refused, not taken this time, or not to be known."""

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

import requests
import urllib3.exceptions
from anymail.exceptions import (
    AnymailAPIError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.conf import settings

from emails.rules import retry_after

LONGEST_ERROR = 500
CLOSING_DOWN = 421
# The server asks for a log-in or rejects ours: nothing is wrong with the message.
LOG_IN = frozenset({530, 534, 535, 538})
NEVER_TAKEN = (
    smtplib.SMTPNotSupportedError,
    AnymailRecipientsRefused,
    AnymailInvalidAddress,
    AnymailUnsupportedFeature,
    AnymailSerializationError,
)
NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY = "retry"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one hand-over.

    Attributes:
        error: What the provider or the network said, short and without secrets.
        message_id: The provider's name for the message.
        wait: How long the provider asked to be left alone.
        stop: The trouble is not this message's; the next one would meet it too.
    """

    verdict: Verdict
    error: str = ""
    message_id: str | None = None
    wait: timedelta | None = None
    stop: bool = False


def classify(error: Exception, *, reached: bool, now: datetime) -> Outcome:
    """Judge a failed hand-over. ``reached`` tells whether any of the message's text may have reached the server.

    Whatever is not provably refused, nor provably not accepted, is unknown: sending it again could send it twice.
    """
    text = describe(error)
    if isinstance(error, AnymailAPIError):
        return _of_api(error, text, now)
    if isinstance(error, NEVER_TAKEN):
        return Outcome(Verdict.REFUSED, text)
    code = _reply_code(error)
    if code is not None:
        return _of_reply(code, text)
    if isinstance(error, OSError) and not reached:
        return Outcome(Verdict.RETRY, text)
    return Outcome(Verdict.UNKNOWN, text)


def unreachable(error: Exception) -> Outcome:
    """Judge a connection that could not be opened: nothing was handed over, and nothing else can be now."""
    return Outcome(Verdict.RETRY, describe(error), stop=True)


def describe(error: Exception) -> str:
    """Return the error in one short line in which no configured secret stands."""
    text = " ".join(str(error).split()) or "no further words"
    for secret in _secrets():
        text = text.replace(secret, "***")
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR]


def _secrets() -> Iterator[str]:
    yield from filter(None, [settings.EMAIL_HOST_PASSWORD])
    for name, value in settings.ANYMAIL.items():
        if isinstance(value, str) and name.endswith(("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")):
            yield value


def _reply_code(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # One recipient per message: one reply.
        return next(int(code) for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return int(error.smtp_code)
    return None


def _of_reply(code: int, text: str) -> Outcome:
    if code in LOG_IN:
        return Outcome(Verdict.RETRY, text, stop=True)
    if 500 <= code < 600:  # noqa: PLR2004 - SMTP's permanent replies
        return Outcome(Verdict.REFUSED, text)
    return Outcome(Verdict.RETRY, text, stop=code == CLOSING_DOWN)


def _of_api(error: AnymailAPIError, text: str, now: datetime) -> Outcome:
    status, response = _status(error), error.response
    if status is None:
        return Outcome(Verdict.RETRY, text, stop=True) if _never_connected(error) else Outcome(Verdict.UNKNOWN, text)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = retry_after(response.headers.get("Retry-After"), now=now) if hasattr(response, "headers") else None
        return Outcome(Verdict.RETRY, text, wait=asked, stop=True)
    if status == HTTPStatus.UNAUTHORIZED:
        return Outcome(Verdict.RETRY, text, stop=True)
    # A conflict is how a provider answers a key it has seen with other bytes: it has the first message.
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT} or not 400 <= status < 500:  # noqa: PLR2004
        return Outcome(Verdict.UNKNOWN, text)
    return Outcome(Verdict.REFUSED, text)


def _status(error: AnymailAPIError) -> int | None:
    """Return the answer's HTTP status; Amazon's library keeps it in a dict, and says 400 when it throttles."""
    if isinstance(error.response, dict):
        if error.response.get("Error", {}).get("Code", "").startswith(("Throttling", "TooManyRequests")):
            return HTTPStatus.TOO_MANY_REQUESTS
        answered = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return None if answered is None else int(answered)
    return None if error.status_code is None else int(error.status_code)


def _never_connected(error: AnymailAPIError) -> bool:
    cause = error.__cause__
    if isinstance(cause, requests.ConnectTimeout):
        return True
    reasons = getattr(cause, "args", ())
    return any(isinstance(getattr(reason, "reason", None), NO_CONNECTION) for reason in reasons)
