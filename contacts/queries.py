"""Who is behind a key, and what we hold about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Q

from contacts import following
from contacts.models import Contact, ContactMerge, KeyConflict
from contacts.pipeline import call, columns_or_none
from contacts.rules import Key, Keys
from contacts.statements import FIND
from hogsend.lib.wire import wire_time

# What contacts_find tells of somebody: every column of the model, in its order.
COLUMNS = [field.attname for field in Contact._meta.concrete_fields]  # noqa: SLF001 - the model's public way
_Text = str | None
_Row = tuple[
    UUID, _Text, _Text, _Text, _Text, _Text, dict[str, Any], datetime, datetime, None, None, datetime, datetime
]
_rows = msgspec.json.Decoder(list[_Row])


def contact_by_key(*, kind: str, value: str) -> Contact | None:
    """Return the living contact this key (in its normal form) resolves to, after merges the survivor."""
    return next(iter(_found([(kind, value)])), None)


def contact_by_keys(keys: Keys) -> Contact | None:
    """Return the living contact that the most identifying known key resolves to."""
    return next(iter(contacts_by_keys(keys)), None)


def contacts_by_keys(keys: Keys) -> list[Contact]:
    """Return every living contact that one of these keys resolves to, the owner of the most identifying key first."""
    return _found(keys.pairs())


def _found(pairs: Sequence[Key]) -> list[Contact]:
    rows = _rows.decode(call(FIND, columns_or_none(pairs, 2)))
    return [Contact.from_db(connection.alias, COLUMNS, row) for row in rows]


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
            {
                "before": merge.before,
                "actor": merge.actor,
                "at": wire_time(merge.created_at),
                "undoneAt": wire_time(merge.undone_at),
            }
            for merge in merges
        ],
        "keysOfOthers": [
            {
                "kind": conflict.kind,
                "value": conflict.value,
                "times": conflict.seen_count,
                "firstAt": wire_time(conflict.first_seen_at),
                "lastAt": wire_time(conflict.last_seen_at),
                "resolvedAt": wire_time(conflict.resolved_at),
            }
            for conflict in KeyConflict.objects.filter(contact=contact).order_by("first_seen_at", "pk")
        ],
        **following.contact_exported(contact.pk),
    }
