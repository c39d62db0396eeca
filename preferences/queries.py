import json
from collections.abc import Iterable
from itertools import chain
from uuid import UUID

from django.db import connection

from contacts.models import KeyKind
from contacts.queries import contact_by_id, contact_by_key
from hogsend.lib.address import normalise_email
from preferences.models import Suppression
from preferences.rules import Consent
from preferences.tokens import Claims

CONSENT = """
select contact.id,
       contact.email,
       contact.deleted_at is not null,
       exists (select from preferences_suppression
                where email = lower(btrim(contact.email)) and suppressed_at is not null),
       coalesce(preference.unsubscribed_all, false),
       preference.paused_until,
       preference.categories
  from unnest(%s::uuid[]) as asked (id)
 cross join lateral (select id, email, deleted_at from contacts_contact where id = asked.id offset 0) as contact
  left join lateral (select unsubscribed_all, paused_until, categories
                       from preferences_preference where contact_id = contact.id offset 0) as preference on true
"""


def consent_of(contact_ids: Iterable[UUID]) -> dict[UUID, Consent]:
    """Return what decides about mail to each contact that exists, by id, read in one statement.

    The row that was asked for is read, also when the person has been merged into another since.
    """
    with connection.cursor() as cursor:
        cursor.execute(CONSENT, [list(contact_ids)])
        rows = cursor.fetchall()
    return {
        contact_id: Consent(
            contact_id=contact_id,
            email=email,
            deleted=deleted,
            suppressed=suppressed,
            unsubscribed_all=unsubscribed_all,
            paused_until=paused_until,
            categories=json.loads(categories) if categories else {},
        )
        for contact_id, email, deleted, suppressed, unsubscribed_all, paused_until, categories in rows
    }


def suppressed_addresses(emails: Iterable[str]) -> frozenset[str]:
    """Return those of ``emails``, trimmed and lower-cased, that must not be mailed."""
    asked = [normalise_email(email) for email in emails]
    rows = Suppression.objects.filter(email__in=asked, suppressed_at__isnull=False)
    return frozenset(rows.values_list("email", flat=True))


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
