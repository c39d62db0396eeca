"""Who is behind a key."""

from uuid import UUID

from contacts.models import Contact
from contacts.rules import Keys


def contact_by_key(*, kind: str, value: str) -> Contact | None:
    """Return the living contact this key (in its normal form) resolves to, after merges the survivor."""
    contact = Contact.objects.filter(keys__kind=kind, keys__value=value).select_related("merged_into").first()
    return None if contact is None else living(contact)


def contact_by_keys(keys: Keys) -> Contact | None:
    """Return the living contact that the most identifying known key resolves to."""
    found = (contact_by_key(kind=kind, value=value) for kind, value in keys.pairs())
    return next((contact for contact in found if contact is not None), None)


def contact_by_id(contact_id: UUID) -> Contact | None:
    """Return the living contact of this id, after a merge the survivor."""
    contact = Contact.objects.filter(pk=contact_id).select_related("merged_into").first()
    return None if contact is None else living(contact)


def living(contact: Contact) -> Contact | None:
    """Follow the merges to the survivor; None when that one was deleted."""
    seen = {contact.pk}
    while contact.merged_into is not None and contact.merged_into.pk not in seen:
        contact = contact.merged_into
        seen.add(contact.pk)
    return contact if contact.deleted_at is None else None
