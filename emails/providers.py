"""What the configured mail back-end can do beyond sending."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Provider:
    """A back-end as the ledger uses it.

    Attributes:
        backend: The class to send with; ours where the original cannot tell what the ledger must know.
        idempotency_window: For how long a repeated hand-over of the same send is recognised; None if never.
        metadata: Whether data of ours may travel along; it comes back in the provider's webhooks.
    """

    backend: str
    idempotency_window: timedelta | None = None
    metadata: bool = True


# Resend remembers a key for 24 hours; the last hour is left for clocks that differ.
PROVIDERS = {
    "django.core.mail.backends.smtp.EmailBackend": Provider("emails.backends.SmtpBackend"),
    "anymail.backends.resend.EmailBackend": Provider("emails.backends.ResendBackend", timedelta(hours=23)),
    "anymail.backends.postal.EmailBackend": Provider("anymail.backends.postal.EmailBackend", metadata=False),
}


def current_provider() -> Provider:
    """Return the provider that the settings name."""
    return PROVIDERS.get(settings.EMAIL_BACKEND) or Provider(settings.EMAIL_BACKEND)
