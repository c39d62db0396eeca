"""Who is behind a key, and what we hold about them."""

from typing import Any
from uuid import UUID

from django.db.models import Q

from contacts import following
from contacts.models import Contact, ContactMerge
from contacts.rules import Keys
from hogsend.lib.wire import wire_time


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


def contacts_by_keys(keys: Keys) -> list[Contact]:
    """Return every living contact that one of these keys resolves to, the owner of the most identifying key first."""
    found = (contact_by_key(kind=kind, value=value) for kind, value in keys.pairs())
    return list({contact.pk: contact for contact in found if contact is not None}.values())


def everything_about(contact: Contact) -> dict[str, Any]:
    """Return all that we hold about somebody, of every app, as JSON values."""
    merges = ContactMerge.objects.filter(Q(survivor=contact) | Q(absorbed=contact)).order_by("created_at")
    return {
        "contact": {
            "id": str(contact.pk),
            "userId": contact.external_id,
            "email": contact.email,
            "anonymousId": contact.anonymous_id,
            "timezone": contact.timezone,
            "properties": contact.properties,
            "firstSeenAt": wire_time(contact.first_seen_at),
            "lastSeenAt": wire_time(contact.last_seen_at),
            "deletedAt": wire_time(contact.deleted_at),
        },
        "keys": [{"kind": key.kind, "value": key.value} for key in contact.keys.order_by("created_at", "pk")],
        "merges": [
            {"before": merge.before, "actor": merge.actor, "at": wire_time(merge.created_at)} for merge in merges
        ],
        **following.contact_exported(contact.pk),
    }
