"""Staff change the address that mail to somebody goes to."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from contacts import following
from contacts.actions.lock import lock_and_read, lock_contacts
from contacts.actions.resolve import write_rows
from contacts.definitions import Change
from contacts.models import Contact
from contacts.rules import EMAIL
from hogsend.lib.address import normalise_email

log = structlog.get_logger(__name__)


class AddressTakenError(ValueError):
    """The address belongs to somebody else, ``owner_id``; the two have to be merged first."""

    def __init__(self, owner_id: UUID) -> None:
        super().__init__("This address belongs to another contact; merge the two, or use another address.")
        self.owner_id = owner_id


class ContactGoneError(ValueError):
    """The contact has been merged or deleted, so there is nothing to change."""

    def __init__(self) -> None:
        super().__init__("This contact has been merged or deleted meanwhile; look at it again.")


def change_address(*, contact_id: UUID, email: str, now: datetime) -> bool:
    """Let mail go to ``email`` from now on; the address before stays a key. False if it is the address already.

    Raises AddressTakenError when somebody else owns it, under whatever key, and ContactGoneError. Every app hears of
    the change.
    """
    address = normalise_email(email)
    with transaction.atomic(savepoint=False):
        _own(contact_id, address, now)
        if not point_mail(contact_id, address, now):
            return False
        following.contacts_changed([Change(contact_id, created=False, door="admin")], now=now)
    log.info("contacts.address_changed", contact_id=str(contact_id))
    return True


def point_mail(contact_id: UUID, address: str, now: datetime) -> bool:
    """Let mail go to ``address``, which is a key of this locked contact; False if it does already."""
    return Contact.objects.filter(pk=contact_id).exclude(email=address).update(email=address, updated_at=now) > 0


def _own(contact_id: UUID, address: str, now: datetime) -> None:
    """Make the address a key of this contact, unless it is one already; whose it is does not change any more."""
    key = (EMAIL, address)
    owner = lock_and_read([key], now).owners.get(key)
    if owner is not None and owner.id != contact_id:
        raise AddressTakenError(owner.id)
    if lock_contacts([contact_id]).get(contact_id) != contact_id:
        raise ContactGoneError
    if owner is None:
        write_rows(keys=[(*key, contact_id)], now=now)
