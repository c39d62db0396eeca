"""The cast of the tests: ada is known, ben has only an address, cleo is a visitor, dora has unsubscribed."""

from datetime import UTC, datetime

from contacts.actions import ContactRequest, resolve_contacts
from contacts.models import Contact
from contacts.rules import keys_of
from preferences.models import Preference

SEEN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ada(**properties: object) -> Contact:
    """Known to the product, with an address."""
    return person(user_id="ada", email="ada@example.com", **properties)


def ben(**properties: object) -> Contact:
    """Only an address."""
    return person(email="ben@example.com", **properties)


def cleo(**properties: object) -> Contact:
    """A visitor of whom nothing is known."""
    return person(anonymous_id="cleo-visit", **properties)


def dora(**properties: object) -> Contact:
    """Known to the product, and wants no mail."""
    contact = person(user_id="dora", email="dora@example.com", **properties)
    Preference.objects.update_or_create(contact=contact, defaults={"unsubscribed_all": True})
    return contact


def person(
    *, user_id: str | None = None, email: str | None = None, anonymous_id: str | None = None, **properties: object
) -> Contact:
    """Find or make somebody by keys, as an event would."""
    keys = keys_of(user_id=user_id, email=email, anonymous_id=anonymous_id)
    resolved = resolve_contacts([ContactRequest(keys=keys, patch=properties or None)], now=SEEN)[0]
    return Contact.objects.get(pk=resolved.contact_id)
