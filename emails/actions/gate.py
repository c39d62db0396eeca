"""The question before every send and again before every hand-over: does this person allow it?"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from contacts.actions import lock_contacts
from emails.models import EmailSend, Reason
from preferences.queries import consent_of, suppressed_addresses
from preferences.rules import Consent, gate

# These are facts about the person, not choices of theirs: no key waives them.
NEVER_WAIVED = frozenset({Reason.DELETED, Reason.NO_ADDRESS})


def lock_consent(contact_id: UUID) -> Consent:
    """Hold the person still until the transaction ends and read what they allow; somebody who is gone is deleted.

    A person who was merged is judged, and from now on known, as the one they live on as.
    """
    living = lock_contacts({contact_id}).get(contact_id, contact_id)
    return consent_of([living]).get(living) or Consent(contact_id=living, email=None, deleted=True)


def blocked(consent: Consent, send: EmailSend, *, now: datetime) -> Reason | None:
    """Return the one reason why ``send`` must not go out, or None.

    Where it goes to another address than the person's own, both addresses are asked about.
    """
    if send.to_email and send.to_email != consent.email and suppressed_addresses([send.to_email]):
        consent = replace(consent, suppressed=True)
    block = gate(consent, category=send.category, now=now)
    reason = None if block is None else Reason(block.value)
    return None if send.skip_preferences and reason not in NEVER_WAIVED else reason
