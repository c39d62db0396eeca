"""The question before every send and again before every hand-over: does this person allow it?"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from contacts.actions import lock_contacts
from contacts.models import Contact
from emails.models import EmailSend, Reason
from preferences.queries import Told, consent_told, suppressed_addresses
from preferences.rules import Consent, gate

# These are facts about the person, not choices of theirs: no key waives them.
NEVER_WAIVED = frozenset({Reason.DELETED, Reason.NO_ADDRESS})
# What the function emails_person tells: as preferences_consent does, then the keys and the properties as JSON text.
Known = tuple[Told, str | None, str | None, str]
PERSON = ("id", "email", "external_id", "anonymous_id", "properties")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is held still, and what they allow."""

    contact: Contact
    consent: Consent


def person_of(known: Known) -> Person:
    """Return whom the function emails_person tells of."""
    told, external_id, anonymous_id, properties = known
    consent = consent_told(told)
    values: list[Any] = [consent.contact_id, consent.email, external_id, anonymous_id, json.loads(properties)]
    return Person(Contact.from_db(connection.alias, PERSON, values), consent)


def living_id(contact_id: UUID) -> UUID:
    """Hold the person still until the transaction ends and return under which id they live on; their own if none."""
    return lock_contacts({contact_id}).get(contact_id, contact_id)


def blocked(consent: Consent, send: EmailSend, *, now: datetime) -> Reason | None:
    """Return the one reason why ``send`` must not go out, or None.

    Where it goes to another address than the person's own, both addresses are asked about.
    """
    if send.to_email and send.to_email != consent.email and suppressed_addresses([send.to_email]):
        consent = replace(consent, suppressed=True)
    block = gate(consent, category=send.category, now=now)
    reason = None if block is None else Reason(block.value)
    return None if send.skip_preferences and reason not in NEVER_WAIVED else reason
