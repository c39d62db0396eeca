"""Where a person's clocks stand: what they said themselves, else what analytics believe, else a default."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError

from contacts.actions import GUESSES, set_contact_timezone
from contacts.actions.timezone import POSTHOG_GEOIP, POSTHOG_TIMEZONE
from contacts.models import Contact
from contacts.queries import contact_by_id
from hogsend.lib.localtime import zone_or_none
from journeys.whereabouts import whereabouts_of

COLUMN: Final = "contact_column"
PROPERTIES: Final = "contact_properties"
DEFAULT: Final = "default"
FALLBACK: Final = "fallback"
LONGEST_TOLD: Final = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone, and how it is known."""

    name: str
    source: str


def zone_of(contact_id: UUID, *, now: datetime) -> Zone:
    """Return where clocks stand for somebody, also when they were merged or are gone; never raises for what is stored.

    What a person said comes first, then what PostHog believes, now or the last time, then the property ``timezone``,
    then HOGSEND_TIMEZONE, then UTC. What is no zone is skipped with a warning.
    """
    contact = contact_by_id(contact_id)
    found = None if contact is None else _said(contact) or _believed(contact, now) or _noted(contact)
    return found or _valid(settings.HOGSEND_TIMEZONE, DEFAULT) or Zone("UTC", FALLBACK)


def _said(contact: Contact) -> Zone | None:
    return None if contact.timezone_source in GUESSES else _valid(contact.timezone, COLUMN)


def _believed(contact: Contact, now: datetime) -> Zone | None:
    fresh = whereabouts_of(contact)
    found = _valid(fresh.timezone, POSTHOG_TIMEZONE) or _valid(fresh.geoip, POSTHOG_GEOIP)
    if found is not None:
        _keep(contact, found, now)
        return found
    source = contact.timezone_source
    return _valid(contact.timezone, source) if source in GUESSES else None


def _keep(contact: Contact, found: Zone, now: datetime) -> None:
    try:
        set_contact_timezone(contact_id=contact.pk, timezone=found.name, source=found.source, now=now)
    except OperationalError as error:  # a merge is under way; no run waits for what is only kept for later
        log.warning("journeys.zone_not_kept", contact_id=str(contact.pk), error=str(error))


def _noted(contact: Contact) -> Zone | None:
    return _valid(contact.properties.get("timezone"), PROPERTIES)


def _valid(value: Any, source: str) -> Zone | None:
    """Return the zone if ``value`` names one; nothing is said about a value that is not there."""
    if value is None or value == "":
        return None
    zone = zone_or_none(value)
    if zone is None:
        log.warning("journeys.no_such_zone", source=source, value=str(value)[:LONGEST_TOLD])
        return None
    return Zone(zone.key, source)
