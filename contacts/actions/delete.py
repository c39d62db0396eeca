"""Somebody is deleted: the row and its history stay, nobody is behind their keys any more."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from contacts import following
from contacts.actions.lock import lock_contacts
from contacts.models import Contact, ContactKey


def delete_contact(*, contact_id: UUID, now: datetime) -> bool:
    """End everything that is going on with somebody and let their keys go; False if they are gone already.

    Whoever comes under one of the keys afterwards is somebody new. What they had refused stays refused for their
    address. To remove the history as well, erase the contact.
    """
    with transaction.atomic(savepoint=False):
        living = lock_contacts({contact_id}).get(contact_id)
        if living is None:
            return False
        following.contacts_deleted([living], now=now)
        ContactKey.objects.filter(contact_id=living).delete()
        Contact.objects.filter(pk=living).update(deleted_at=now, updated_at=now)
    return True
