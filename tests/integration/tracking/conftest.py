from datetime import UTC, datetime, timedelta

import pytest

from contacts.models import Contact
from emails.models import EmailSend, Origin, SendStatus, TrackedLink

SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _settings(settings, tmp_path):
    settings.API_PUBLIC_URL = "https://mail.example.com"
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def mail():
    """Make a mail that was sent, and its link."""

    def make(url: str = "https://example.com/a?b=1&c=2#d", **facts) -> TrackedLink:
        ada = Contact.objects.create(
            email="ada@example.com", external_id="ada", first_seen_at=SENT_AT, last_seen_at=SENT_AT
        )
        row = {
            "contact": ada,
            "origin": Origin.JOURNEY,
            "email_id": "welcome",
            "category": "journey",
            "status": SendStatus.SENT,
            "from_email": "hello@example.com",
            "to_email": "ada@example.com",
            "send_after": SENT_AT,
            "created_at": SENT_AT,
            "provider_started_at": SENT_AT,
            "sent_at": SENT_AT,
        }
        send = EmailSend.objects.create(**{**row, **facts})
        return TrackedLink.objects.create(send=send, url=url, created_at=SENT_AT - timedelta(seconds=1))

    return make


@pytest.fixture
def link(db, mail) -> TrackedLink:
    return mail()
