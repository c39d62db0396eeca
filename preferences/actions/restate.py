"""Several wishes about one person at once, as programs state them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from contacts.actions import lock_contacts
from events.actions import emit_events
from preferences.actions.change import change_many, pause
from preferences.models import ConsentChange
from preferences.queries import consent_of
from preferences.rules import Choice


class LooseningRefusedError(PermissionError):
    """The caller may not lift an opt-out from all mail; the person, or somebody with more rights, may."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What shall be from now on; what is None, or missing in ``lists``, stays."""

    unsubscribed_all: bool | None = None
    lists: Mapping[str, bool] = field(default_factory=dict)
    pauses: bool = False
    paused_until: datetime | None = None


def restate_consent(*, contact_id: UUID, wishes: Wishes, may_loosen: bool, now: datetime) -> None:
    """Make the wishes true by the API's door, all or none.

    Raises LooseningRefusedError when they would lift an opt-out from all mail and ``may_loosen`` is false.
    """
    with transaction.atomic():
        living = lock_contacts({contact_id}).get(contact_id, contact_id)
        off = wishes.unsubscribed_all
        consent = consent_of([living]).get(living)
        if off is False and not may_loosen and consent and consent.unsubscribed_all:
            raise LooseningRefusedError
        door = ConsentChange.Door.API.value
        choices = [] if off is None else [Choice(living, None, not off, door)]
        choices += [Choice(living, name, subscribed, door) for name, subscribed in wishes.lists.items()]
        emit_events(change_many(choices, now=now), now=now)
        if wishes.pauses:
            pause(contact_id=living, until=wishes.paused_until, now=now)
