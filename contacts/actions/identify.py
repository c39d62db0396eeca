"""One person, as an upsert names them: who it is, what is said about them, and where mail goes from now on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from contacts import following
from contacts.actions.address import point_mail
from contacts.actions.merge import merge_owners
from contacts.actions.resolve import ContactRequest, resolve_contacts
from contacts.definitions import Change
from contacts.models import ContactKey
from contacts.rules import EMAIL, Key, Keys


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom the keys meant, whether they were unknown, and which keys belong to somebody else."""

    contact_id: UUID
    created: bool
    conflicts: tuple[Key, ...] = ()


def identify(
    *,
    keys: Keys,
    patch: Mapping[str, Any] | None = None,
    lists: Mapping[str, bool] | None = None,
    door: str = "api",
    now: datetime,
) -> Identified:
    """Find, merge or create the person of ``keys`` and write what is said about them, all in one transaction.

    With a user id, a new address that nobody else owns becomes the one that mail goes to; the old one stays a key.
    Every app hears of it, and may refuse it by raising. Repeating it changes nothing.
    """
    with transaction.atomic(savepoint=False):
        policy = merge_owners(keys, actor=f"{door}: contact write", now=now)
        [resolved] = resolve_contacts([ContactRequest(keys=keys, patch=patch)], now=now, policy=policy)
        if keys.external is not None and keys.email is not None:
            _move_address(resolved.contact_id, keys.email, now)
        change = Change(resolved.contact_id, resolved.created, frozenset(patch or ()), lists or {}, door)
        following.contacts_changed([change], now=now)
    return Identified(resolved.contact_id, resolved.created, _of_others(keys, resolved.contact_id))


def _move_address(contact_id: UUID, email: str, now: datetime) -> None:
    """Mail goes to ``email`` from now on, if it is this person's."""
    if ContactKey.objects.filter(kind=EMAIL, value=email, contact_id=contact_id).exists():
        point_mail(contact_id, email, now)


def _of_others(keys: Keys, contact_id: UUID) -> tuple[Key, ...]:
    mine = set(ContactKey.objects.filter(contact_id=contact_id).values_list("kind", "value"))
    return tuple(key for key in keys.pairs() if key not in mine)
