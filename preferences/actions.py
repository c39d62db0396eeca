from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from contacts.actions import lock_contacts
from events.actions import emit_events
from events.definitions import NewEvent
from hogsend.lib.address import normalise_email
from hogsend.lib.ids import new_id
from preferences.models import ConsentChange, Suppression

log = structlog.get_logger(__name__)

# By these doors the person comes in person.
OWN_DOORS = frozenset({ConsentChange.Door.ONE_CLICK, ConsentChange.Door.PAGE})

CHANGE = """
with before as (
    select unsubscribed_all, categories from preferences_preference where contact_id = %(contact)s
), written as (
    insert into preferences_preference as preference (contact_id, unsubscribed_all, categories, created_at, updated_at)
    select id, coalesce(%(off)s::boolean, false), %(patch)s::jsonb, %(now)s, %(now)s
      from contacts_contact
     where id = %(contact)s and (%(off)s or %(patch)s::jsonb <> '{}' or exists (select from before))
    on conflict (contact_id) do update
       set unsubscribed_all = coalesce(%(off)s::boolean, preference.unsubscribed_all),
           categories = preference.categories || excluded.categories,
           updated_at = excluded.updated_at
     where preference.unsubscribed_all <> coalesce(%(off)s::boolean, preference.unsubscribed_all)
        or not preference.categories @> excluded.categories
    returning contact_id
)
select exists (select from written),
       coalesce((select unsubscribed_all from before), false),
       (select categories ->> %(category)s::text from before)
"""

SUPPRESS = """
insert into preferences_suppression as known
       (id, email, reason, bounce_count, suppressed_at, last_bounce_at, created_at)
select %(id)s, %(email)s, %(reason)s, bounces, at, case when bounces > 0 then at end, at
  from (values (%(bounces)s::int, %(now)s::timestamptz)) as given (bounces, at)
on conflict (email) do update
   set reason = case when 'complaint' in (known.reason, excluded.reason) then 'complaint'
                     else coalesce(known.reason, excluded.reason) end,
       bounce_count = known.bounce_count + excluded.bounce_count,
       suppressed_at = coalesce(known.suppressed_at, excluded.suppressed_at),
       last_bounce_at = greatest(known.last_bounce_at, excluded.last_bounce_at)
"""

PAUSE = """
insert into preferences_preference as preference
       (contact_id, unsubscribed_all, categories, paused_until, created_at, updated_at)
select id, false, '{}'::jsonb, %(until)s, %(now)s, %(now)s
  from contacts_contact
 where id = %(contact)s
   and (%(until)s::timestamptz is not null
        or exists (select from preferences_preference where contact_id = %(contact)s))
on conflict (contact_id) do update
   set paused_until = excluded.paused_until, updated_at = excluded.updated_at
 where preference.paused_until is distinct from excluded.paused_until
returning contact_id
"""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a person chose, and by which door."""

    category: str | None
    subscribed: bool
    door: ConsentChange.Door

    @property
    def off(self) -> bool | None:
        """What the opt-out from all mail becomes; None if it stays."""
        if self.category is None:
            return not self.subscribed
        return False if self.subscribed and self.door in OWN_DOORS else None

    @property
    def patch(self) -> dict[str, bool]:
        return {} if self.category is None else {self.category: self.subscribed}

    def parts_changed(self, *, was_off: bool, was: str | None) -> list[str | None]:
        """Name what this choice changes: None stands for all mail."""
        parts: list[str | None] = [None] if self.off is not None and self.off != was_off else []
        if self.category is not None and was != str(self.subscribed).lower():
            parts.append(self.category)
        return parts


@transaction.atomic
def change_consent(
    *,
    contact_id: UUID,
    category: str | None,
    subscribed: bool,
    door: ConsentChange.Door,
    now: datetime,
    send_id: UUID | None = None,
) -> bool:
    """Record what a person chose for ``category``, or for all mail when it is None; tell whether anything changed.

    Coming back to one category also lifts the opt-out from all mail, if the person came by a door of their own;
    nobody else may lift it in passing. A change is kept in the history and told as ``contact.subscribed`` or
    ``contact.unsubscribed``; a repeated choice is neither. Holds the lock of the contact, so that two changes at
    once both stand, and follows a merge to the survivor.
    """
    choice = _Choice(category, subscribed, door)
    living = lock_contacts({contact_id}).get(contact_id)
    parts = _apply(living, choice, now=now) if living else []
    if living is None or not parts:
        log.info("preferences.unchanged", why="contact_deleted" if living is None else "as_before", door=door.value)
        return False
    ConsentChange.objects.bulk_create(
        ConsentChange(
            contact_id=living, category=part, subscribed=subscribed, door=door, send_id=send_id, created_at=now
        )
        for part in parts
    )
    emit_events([_event(living, choice, send_id)], now=now)
    return True


def suppress(*, email: str, reason: Suppression.Reason, now: datetime) -> None:
    """Never mail ``email`` again, whoever owns it, known to us or not.

    Idempotent, except that each call for a bounce counts one bounce: the caller makes sure that a notification comes
    here once. A complaint replaces any other reason. Raises ValueError for an empty address.
    """
    address = normalise_email(email)
    if not address:
        raise ValueError("There is no address to suppress; give the address that bounced or complained.")
    bounces = int(reason == Suppression.Reason.BOUNCE)
    values: dict[str, Any] = {
        "id": new_id(),
        "email": address,
        "reason": reason.value,
        "bounces": bounces,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESS, values)


def lift_suppression(*, email: str) -> bool:
    """Allow mail to ``email`` again and forget its bounces; tell whether it had been suppressed."""
    rows = Suppression.objects.filter(email=normalise_email(email), suppressed_at__isnull=False)
    return rows.update(suppressed_at=None, reason=None, bounce_count=0) > 0


@transaction.atomic
def pause(*, contact_id: UUID, until: datetime | None, now: datetime) -> bool:
    """Hold back a person's mail ``until`` then (None: end the pause); tell whether anything changed."""
    living = lock_contacts({contact_id}).get(contact_id)
    with connection.cursor() as cursor:
        cursor.execute(PAUSE, {"contact": living, "until": until, "now": now})
        return cursor.fetchone() is not None


def _apply(contact_id: UUID, choice: _Choice, *, now: datetime) -> list[str | None]:
    """Write the choice and return the parts of the preference that it changed."""
    values: dict[str, Any] = {
        "contact": contact_id,
        "off": choice.off,
        "patch": Jsonb(choice.patch),
        "category": choice.category,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(CHANGE, values)
        written, was_off, was = cursor.fetchone()
    return choice.parts_changed(was_off=was_off, was=was) if written else []


def _event(contact_id: UUID, choice: _Choice, send_id: UUID | None) -> NewEvent:
    properties: dict[str, Any] = {"category": choice.category, "door": choice.door.value}
    if send_id is not None:
        properties["emailSendId"] = str(send_id)
    name = "contact.subscribed" if choice.subscribed else "contact.unsubscribed"
    return NewEvent(contact_id=contact_id, name=name, properties=properties)
