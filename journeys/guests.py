"""Whom an operator means who is to enter a journey."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from contacts.actions import identify
from contacts.models import Contact
from contacts.queries import contact_by_id, contact_by_keys
from contacts.rules import Keys, keys_of
from journeys.rules import to_json

NO_PROPERTIES = 'Properties are a JSON object of texts, numbers, true and false, like {"plan": "pro"}.'


class InvalidPropertiesError(ValueError):
    """What was typed is not what a run can be told; the message says what to type."""


def guest_of(user_id: str, email: str | None) -> UUID:
    """Return the person of a user id, anonymous id or our own id; whoever is unknown is created, as by an event.

    An address only fills a gap: nobody's address is changed by it. Repeating it changes nothing.
    """
    known = known_as(user_id)
    if known is None:
        return identify(keys=keys_of(user_id=user_id, email=email)).contact_id
    if email is not None and known.email is None and (keys := _keys(known, email)):
        return identify(keys=keys).contact_id
    return known.pk


def known_as(name: str) -> Contact | None:
    """Return the living person whom any key means, after merges the survivor."""
    if (contact := contact_by_keys(keys_of(user_id=name, email=name, anonymous_id=name))) is not None:
        return contact
    with suppress(ValueError):
        return contact_by_id(UUID(name.strip()))
    return None


def properties_of(typed: str) -> dict[str, Any]:
    """Read what was typed as the properties of an event; nothing is none. Raises InvalidPropertiesError."""
    if not typed.strip():
        return {}
    try:
        found = json.loads(typed)
        to_json(found, what="properties")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPropertiesError(NO_PROPERTIES) from error
    if not isinstance(found, dict):
        raise InvalidPropertiesError(NO_PROPERTIES)
    return found


def _keys(known: Contact, email: str) -> Keys | None:
    keys = keys_of(user_id=known.external_id, email=email, anonymous_id=known.anonymous_id)
    return keys if keys.external or keys.anonymous else None
