"""Where clocks of a person stand, and who said so."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from contacts import following
from contacts.actions.lock import lock_contacts
from contacts.definitions import Change
from contacts.models import Contact
from hogsend.lib.localtime import zone_or_none

# Sources: somebody said so through your product, or analytics believe it.
USER: Final = "user"
POSTHOG_TIMEZONE: Final = "posthog_timezone"
POSTHOG_GEOIP: Final = "posthog_geoip"
GUESSES: Final = frozenset({POSTHOG_TIMEZONE, POSTHOG_GEOIP})

log = structlog.get_logger(__name__)


def set_contact_timezone(*, contact_id: UUID, timezone: str, source: str, now: datetime) -> bool:
    """Keep the zone somebody lives in, and who said so; False if that changes nothing, or nobody is there.

    What analytics believe never takes the place of what somebody said. Every app hears of a change. Raises ValueError
    for what is no IANA zone, before anything is written.
    """
    zone = timezone_name(timezone)
    with transaction.atomic(savepoint=False):
        living = lock_contacts([contact_id]).get(contact_id)
        if living is None or not place(living, zone, source, now):
            return False
        following.contacts_changed([Change(living, created=False)], now=now)
    log.info("contacts.timezone_changed", contact_id=str(living), source=source)
    return True


def timezone_name(text: str) -> str:
    """Return the IANA name in its own capitals. Raises ValueError for what is none."""
    zone = zone_or_none(text)
    if zone is None:
        raise ValueError(f"timezone must be an IANA name like Europe/Berlin; {text!r} is none.")
    return zone.key


def place(contact_id: UUID, zone: str, source: str, now: datetime) -> bool:
    """Write the zone of this locked contact; False if it is written already, or somebody's word stands there."""
    rows = Contact.objects.filter(pk=contact_id).exclude(timezone=zone, timezone_source=source)
    if source in GUESSES:
        rows = rows.filter(Q(timezone=None) | Q(timezone_source__in=GUESSES))
    return rows.update(timezone=zone, timezone_source=source, updated_at=now) > 0
