"""Contacts as they look on the wire: decoding, refusals that say what to do, and answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from contacts.actions import Identified
from contacts.models import Contact
from contacts.rules import Keys, keys_of
from hogsend.api.decoding import decode_body, fields_refused
from hogsend.api.errors import ApiError
from hogsend.lib.fields import MAX_ID, InvalidFieldError, check_address, check_patch, check_text
from hogsend.lib.localtime import zone_or_none
from hogsend.lib.wire import wire_time

NO_IDENTITY = "email or userId is required (or anonymousId): say whose contact this is."
NO_IDENTITY_TO_DELETE = "email or userId is required: say who is to be deleted."


class NamesBody(msgspec.Struct, rename="camel"):
    """How a request names somebody. Unknown fields are ignored; null means absent."""

    email: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None


class ContactBody(NamesBody, rename="camel"):
    """The JSON of an upsert."""

    properties: dict[str, msgspec.Raw] | None = None
    lists: dict[str, bool] | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Upsert:
    """What an upsert says, and of whom."""

    keys: Keys
    patch: Mapping[str, Any] | None
    lists: Mapping[str, bool] | None
    timezone: str | None = None


_contact = msgspec.json.Decoder(ContactBody)
_names = msgspec.json.Decoder(NamesBody)


def decode_upsert(body: bytes) -> Upsert:
    """Read an upsert. Raises ApiError 400 with the field and what to do about it."""
    read = decode_body(body, _contact.decode)
    keys = _keys(read.user_id, read.email, read.anonymous_id)
    if not keys:
        raise ApiError(400, NO_IDENTITY, [{"path": [], "code": "missing_identity", "message": NO_IDENTITY}])
    with fields_refused():
        check_patch(read.properties, field="properties")
        zone = _zone(read.timezone)
    return Upsert(keys, read.properties, read.lists, zone)


def decode_names(body: bytes) -> Keys:
    """Read who is meant. Raises ApiError 400; an address is compared, so it needs no form."""
    read = decode_body(body, _names.decode)
    keys = keys_of(user_id=read.user_id, email=read.email, anonymous_id=read.anonymous_id)
    if not keys:
        sentence = NO_IDENTITY_TO_DELETE
        raise ApiError(400, sentence, [{"path": [], "code": "missing_identity", "message": sentence}])
    return keys


def contact_body(contact: Contact) -> dict[str, Any]:
    """Build the JSON of a contact."""
    return {
        "id": str(contact.pk),
        "externalId": contact.external_id,
        "email": contact.email,
        "anonymousId": contact.anonymous_id,
        "timezone": contact.timezone,
        "properties": contact.properties,
        "firstSeenAt": wire_time(contact.first_seen_at),
        "lastSeenAt": wire_time(contact.last_seen_at),
        "createdAt": wire_time(contact.created_at),
        "updatedAt": wire_time(contact.updated_at),
    }


def identified_body(found: Identified) -> dict[str, Any]:
    """Build the answer to an upsert; ``conflicts`` stands there only when a key belongs to somebody else."""
    body: dict[str, Any] = {"id": str(found.contact_id), "created": found.created, "linked": not found.created}
    if found.conflicts:
        body["conflicts"] = [{"kind": kind, "value": value} for kind, value in found.conflicts]
    return body


def _keys(user_id: str | None, email: str | None, anonymous_id: str | None) -> Keys:
    keys = keys_of(user_id=user_id, email=email, anonymous_id=anonymous_id)
    with fields_refused():
        check_text(keys.external, field="userId", limit=MAX_ID)
        check_text(keys.anonymous, field="anonymousId", limit=MAX_ID)
        check_address(keys.email)
    return keys


def _zone(name: str | None) -> str | None:
    if name is None or not name.strip():
        return None
    zone = zone_or_none(name)
    if zone is None:
        raise InvalidFieldError("timezone must be an IANA name like Europe/Berlin.", path=["timezone"])
    return zone.key
