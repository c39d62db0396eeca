"""Take a merge back: one becomes two again."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.dateparse import parse_datetime

from contacts import following
from contacts.actions.lock import lock_contacts
from contacts.actions.merge import NAMES, MergeError, snapshot
from contacts.definitions import Merge
from contacts.models import Contact, ContactKey, ContactMerge
from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, Key, split_again

log = structlog.get_logger(__name__)

COLUMNS = {"external_id": EXTERNAL, "email": EMAIL, "anonymous_id": ANONYMOUS}


def undo_merge(*, merge_id: UUID, actor: str, now: datetime) -> ContactMerge:
    """Give the absorbed their keys, properties and rows back, and keep the two apart from now on.

    What was changed since the merge stays with the survivor. Raises MergeError when it was taken back before, or when
    the survivor has been merged or deleted since: then the later merge has to be taken back first.
    """
    with transaction.atomic():
        journal = ContactMerge.objects.select_for_update().get(pk=merge_id)
        if journal.undone_at is not None:
            raise MergeError("This merge has been taken back before.")
        if lock_contacts({journal.survivor_id}).get(journal.survivor_id) != journal.survivor_id:
            raise MergeError("The survivor has been merged or deleted since; take that back first.")
        survivor, absorbed = (Contact.objects.get(pk=pk) for pk in (journal.survivor_id, journal.absorbed_id))
        if absorbed.merged_into_id != survivor.pk:
            raise MergeError("The absorbed contact is no part of the survivor any more.")
        _part(survivor, absorbed, journal, now)
        following.merge_undone(Merge(survivor.pk, absorbed.pk, now, journal.before["moved"]))
        journal.undone_at = now
        journal.save(update_fields=["undone_at"])
        following.people_settled([survivor.pk, absorbed.pk], now=now)
    log.info("contacts.merge_undone", survivor_id=str(survivor.pk), absorbed_id=str(absorbed.pk), actor=actor)
    return journal


def _part(survivor: Contact, absorbed: Contact, journal: ContactMerge, now: datetime) -> None:
    before, after = journal.before["survivor"], journal.before["after"]
    leaving = _keys_that_leave(survivor.pk, journal)
    current = snapshot(survivor)
    for name in NAMES:
        if current[name] == after[name] or (COLUMNS.get(name), current[name]) in leaving:
            setattr(survivor, name, before[name])
    survivor.properties = split_again(survivor.properties, before=before["properties"], after=after["properties"])
    if current["first_seen_at"] == after["first_seen_at"]:
        survivor.first_seen_at = _moment(before["first_seen_at"])
    survivor.updated_at = now
    survivor.save()
    _restore(absorbed, journal.before["absorbed"], now)
    for kind, value in leaving:
        ContactKey.objects.filter(kind=kind, value=value).update(contact_id=absorbed.pk)


def _keys_that_leave(survivor_id: UUID, journal: ContactMerge) -> set[Key]:
    """Return the keys that came with the absorbed and are the survivor's still."""
    owned = set(ContactKey.objects.filter(contact_id=survivor_id).values_list("kind", "value"))
    return {(kind, value) for kind, value in journal.before["keys"]} & owned


def _restore(absorbed: Contact, was: dict[str, Any], now: datetime) -> None:
    for name in NAMES:
        setattr(absorbed, name, was[name])
    absorbed.deleted_at, absorbed.merged_into, absorbed.updated_at = None, None, now
    absorbed.save()


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"{text!r} is no time.")
    return moment
