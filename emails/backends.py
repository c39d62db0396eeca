"""Django's and anymail's back-ends, taught the one thing the ledger must know of each."""

import smtplib
from typing import Any

from anymail.backends.resend import EmailBackend as AnymailResend
from django.core.mail.backends.smtp import EmailBackend as DjangoSmtp

GO_AHEAD = 354


class _Watching:
    """Note when the server has asked for the message's text; before that it cannot have accepted the message."""

    text_asked_for = False

    def mail(self, *args: Any, **kwargs: Any) -> Any:
        self.text_asked_for = False
        return super().mail(*args, **kwargs)  # type: ignore[misc]

    def getreply(self) -> tuple[int, bytes]:
        code, words = super().getreply()  # type: ignore[misc]
        self.text_asked_for = self.text_asked_for or code == GO_AHEAD
        return code, words


class WatchingSMTP(_Watching, smtplib.SMTP):
    pass


class WatchingSMTPOverTLS(_Watching, smtplib.SMTP_SSL):
    pass


class SmtpBackend(DjangoSmtp):
    """SMTP that can tell a message the server may have from one it cannot have."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return WatchingSMTPOverTLS if self.use_ssl else WatchingSMTP

    @property
    def reached(self) -> bool:
        """Tell whether the server may have text of the message that was handed over last."""
        return bool(getattr(self.connection, "text_asked_for", False))


class ResendBackend(AnymailResend):  # type: ignore[misc]
    """Resend, told by the send's id that a repeated hand-over is the same message."""

    def build_message_payload(self, message: Any, defaults: Any) -> Any:
        payload = super().build_message_payload(message, defaults)
        payload.headers["Idempotency-Key"] = message.metadata["send_id"]
        return payload
