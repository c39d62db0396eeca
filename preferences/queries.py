import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connection

from contacts.models import Contact, KeyKind
from contacts.queries import contact_by_id, contact_by_key
from hogsend.lib.address import normalise_email
from hogsend.lib.wire import wire_time
from preferences.models import ConsentChange, Suppression
from preferences.rules import Consent, Standing
from preferences.statements import CONSENT, LEFT_ALL_MAIL, SUPPRESSED_AMONG
from preferences.tokens import Claims

__all__ = [
    "LEFT_ALL_MAIL",
    "Suppressed",
    "Told",
    "consent_of",
    "consent_told",
    "contact_of",
    "export_of",
    "living_among",
    "reachable",
    "standings_of",
    "suppressed_addresses",
    "suppression_of",
]


Choices = dict[str, Any]
Told = tuple[UUID, str | None, bool, bool, bool, Choices | None, datetime | None, bool, list[Choices] | None]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why and since when an address is not mailed; the reason is unknown once its former owner was erased."""

    reason: str | None
    since: datetime | None


def consent_of(contact_ids: Iterable[UUID]) -> dict[UUID, Consent]:
    """Return what decides about mail to each contact that exists, by id, read in one statement.

    The row that was asked for is read, also when the person has been merged into another since. What was refused for
    one of the addresses, by somebody who is gone, counts like the person's own.
    """
    return {told[0]: consent_told(told) for told in _read(contact_ids)}


def consent_told(told: Told) -> Consent:
    """Return what the function preferences_consent tells of one contact, its JSON decoded."""
    contact_id, email, deleted, suppressed, *_ = told
    standing = _standing(told)
    return Consent(
        contact_id=contact_id,
        email=email,
        deleted=deleted,
        suppressed=suppressed,
        unsubscribed_all=standing.unsubscribed_all or standing.barred_all,
        paused_until=standing.paused_until,
        categories={**standing.categories, **dict.fromkeys(standing.barred, False)},
    )


def standings_of(contact_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return each contact's own choices, apart from what was refused for their addresses; one statement."""
    return {told[0]: _standing(told) for told in _read(contact_ids)}


def suppressed_addresses(emails: Iterable[str]) -> frozenset[str]:
    """Return those of ``emails``, trimmed and lower-cased, that must not be mailed."""
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESSED_AMONG, [[normalise_email(email) for email in emails]])
        return frozenset(row[0] for row in cursor.fetchall())


def _read(contact_ids: Iterable[UUID]) -> Iterator[Told]:
    with connection.cursor() as cursor:
        cursor.execute(CONSENT, [list(contact_ids)])
        rows = cursor.fetchall()
    for *chosen, categories, paused_until, barred_all, barred in rows:
        yield *chosen, json.loads(categories or "{}"), paused_until, barred_all, json.loads(barred or "[]")


def _standing(told: Told) -> Standing:
    *_, off, own, paused_until, barred_all, barred = told
    names = frozenset(name for stone in barred or () for name in stone)
    return Standing(off, own or {}, paused_until, barred_all, names)


def suppression_of(email: str | None) -> Suppressed | None:
    """Return why ``email`` must not be mailed, or None if it may be."""
    if not email or not suppressed_addresses([email]):
        return None
    row = Suppression.objects.filter(email=normalise_email(email), suppressed_at__isnull=False).first()
    return Suppressed(row.reason, row.suppressed_at) if row else Suppressed(None, None)


def reachable(contact_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Return those of the contacts that have an address."""
    rows = Contact.objects.filter(id__in=contact_ids, email__isnull=False).exclude(email="")
    return frozenset(rows.values_list("id", flat=True))


def contact_of(claims: Claims) -> UUID | None:
    """Return the living contact that a link speaks of, or None if we hold nobody under any of its keys.

    Our own id is asked first and followed to the survivor of a merge, then the keys that older links carry.
    """
    ids = [claims.contact_id, _as_id(claims.external_id)]
    keys = [
        (KeyKind.EXTERNAL, claims.external_id),
        (KeyKind.ANONYMOUS, claims.external_id),
        (KeyKind.EMAIL, normalise_email(claims.email)),
    ]
    by_id = (contact_by_id(contact_id) for contact_id in ids if contact_id)
    by_key = (contact_by_key(kind=kind, value=value) for kind, value in keys)
    return next((contact.id for contact in chain(by_id, by_key) if contact is not None), None)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def living_among(contact_ids: Iterable[UUID]) -> list[UUID]:
    """Return those of the contacts that were neither merged nor deleted."""
    return list(Contact.objects.filter(id__in=contact_ids, deleted_at=None).values_list("id", flat=True))


def export_of(contact_id: UUID) -> dict[str, Any]:
    """Return all that we hold about somebody's consent, as JSON values."""
    consent = consent_of([contact_id]).get(contact_id)
    suppressed = suppression_of(consent.email) if consent else None
    changes = ConsentChange.objects.filter(contact_id=contact_id).order_by("created_at", "id")
    return {
        "preferences": consent
        and {
            "unsubscribedAll": consent.unsubscribed_all,
            "pausedUntil": wire_time(consent.paused_until),
            "categories": dict(consent.categories),
        },
        "suppressed": suppressed and {"reason": suppressed.reason, "suppressedAt": wire_time(suppressed.since)},
        "consent_changes": [
            {
                "category": change.category,
                "subscribed": change.subscribed,
                "door": change.door,
                "sendId": change.send_id and str(change.send_id),
                "createdAt": wire_time(change.created_at),
            }
            for change in changes
        ],
    }
