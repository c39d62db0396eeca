from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from contacts.models import Contact, ContactKey, KeyKind
from lists.definitions import EmailList, registry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _lists() -> Iterator[None]:
    with registry.scratch():
        EmailList("news", name="News", description="Once a month.", default_opt_in=True)
        EmailList("beta", name="Beta", default_opt_in=False)
        EmailList("secret", name="Secret list", default_opt_in=False, enabled=False)
        yield


@pytest.fixture(autouse=True)
def _settings(settings, tmp_path):
    settings.ENABLED_LISTS = None
    settings.STATIC_ROOT = tmp_path
    settings.API_PUBLIC_URL = "https://mail.example.com"


@pytest.fixture
def person():
    """Make a contact with its keys."""

    def make(email: str | None = "ada@example.com", external_id: str | None = "ada", **facts) -> Contact:
        contact = Contact.objects.create(
            email=email, external_id=external_id, first_seen_at=NOW, last_seen_at=NOW, **facts
        )
        if email:
            ContactKey.objects.create(kind=KeyKind.EMAIL, value=email, contact=contact)
        if external_id:
            ContactKey.objects.create(kind=KeyKind.EXTERNAL, value=external_id, contact=contact)
        return contact

    return make


@pytest.fixture
def ada(db, person) -> Contact:
    return person()
