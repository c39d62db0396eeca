"""The message and the line it goes through."""

import contextlib
import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMultiAlternatives, get_connection

from emails.models import EmailSend
from emails.outcome import Outcome, Verdict, classify, unreachable
from emails.providers import Provider
from emails.rules import message_id, one_line, tag_of

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def build_message(send: EmailSend, *, metadata: bool = True) -> EmailMultiAlternatives:
    """Build the message from its frozen row; the same row gives the same message whenever it is built."""
    message = EmailMultiAlternatives(
        subject=send.subject,
        body=send.text,
        from_email=send.from_email,
        to=[send.to_email],
        reply_to=send.reply_to,
        headers={**send.headers, "Message-ID": message_id(send.id, send.from_email)},
    )
    message.attach_alternative(send.html, "text/html")
    told: dict[str, Any] = {"tags": [tag_of(send.email_id)]}
    if metadata:
        told["metadata"] = {"send_id": str(send.id)}
    vars(message).update(told)
    return message


def prove_sendable(send: EmailSend) -> None:
    """Raise ValueError or UnicodeError for a row that could never be handed over.

    To lay a message out, as for the wire, takes longer than all else about it: what is plainly good is not tried.
    """
    if any("\0" in part for part in (send.text, send.html)):
        raise ValueError("it holds a NUL character; clean the text before it is sent")
    if PLAIN_ADDRESS.fullmatch(send.to_email) and send.subject == one_line(send.subject):
        _prove_sender(send.from_email, tuple(send.reply_to))
        for part in (send.subject, send.text, send.html):
            part.encode()
    else:
        build_message(send).message()


@lru_cache(maxsize=256)
def _prove_sender(from_email: str, reply_to: tuple[str, ...]) -> None:
    EmailMultiAlternatives(from_email=from_email, reply_to=reply_to).message()


class Line:
    """One connection to the provider, opened when first needed and opened anew after trouble."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._backend: BaseEmailBackend | None = None

    def open(self) -> Outcome | None:
        """Make sure that the connection is open; return the trouble if it cannot be."""
        if self._backend is not None:
            return None
        try:
            backend = get_connection(self.provider.backend)
            backend.open()
        except Exception as error:  # noqa: BLE001 - whatever keeps it shut, nothing has been handed over
            return unreachable(error)
        self._backend = backend
        return None

    def hand_over(self, send: EmailSend, *, now: datetime) -> Outcome:
        """Give one message to the provider and judge what came of it. The line must be open."""
        message = build_message(send, metadata=self.provider.metadata)
        backend = self._backend
        assert backend is not None, "open() comes first"  # noqa: S101 - a mistake of ours, not of a caller's data
        try:
            taken = backend.send_messages([message])
        except Exception as error:  # noqa: BLE001 - an unforeseen failure means: not to be known
            outcome = classify(error, reached=getattr(backend, "reached", True), now=now)
            if outcome.verdict is not Verdict.REFUSED:
                self.close()
            return outcome
        if taken == 0:
            return Outcome(Verdict.REFUSED, "The mail back-end took none of the message's recipients.")
        return Outcome(Verdict.ACCEPTED, message_id=_id_of(message))

    def close(self) -> None:
        """Close the connection; a connection that cannot even be closed is dropped."""
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(Exception):
                backend.close()


def _id_of(message: EmailMultiAlternatives) -> str:
    """Return the provider's id of the message, or the Message-ID it went out with."""
    given = getattr(getattr(message, "anymail_status", None), "message_id", None)
    return str(given or message.extra_headers["Message-ID"])
