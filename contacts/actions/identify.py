"""One person, as an upsert names them: who it is, what is said about them, and where mail goes from now on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard
from uuid import UUID

from django.db import transaction

from contacts import following
from contacts.actions.address import point_mail
from contacts.actions.lock import begin
from contacts.actions.merge import merge_among
from contacts.actions.resolve import ContactRequest, Resolved, resolve_among
from contacts.actions.timezone import USER, place, timezone_name
from contacts.definitions import Change
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
    timezone: str | None = None,
    door: str = "api",
    now: datetime | None = None,
) -> Identified:
    """Find, merge or create the person of ``keys`` and write what is said about them, all in one transaction.

    With a user id, a new address that nobody else owns becomes the one that mail goes to; the old one stays a key.
    ``timezone`` counts as the person's own word. Every app hears of it, and may refuse it by raising. Repeating it
    changes nothing. ``now`` is the time of the transaction if it is not given. Nobody waits for a lock for more than
    five seconds. Raises ValueError for what is no IANA zone, before anything is written.
    """
    zone = None if timezone is None else timezone_name(timezone)
    with transaction.atomic(savepoint=False):
        at, facts = begin(keys.pairs(), now)
        policy, facts = merge_among(facts, keys, actor=f"{door}: contact write", now=at)
        [resolved] = resolve_among(facts, [ContactRequest(keys=keys, patch=patch)], now=at, policy=policy)
        if keys.external is not None and _is_new_address(keys.email, resolved):
            point_mail(resolved.contact_id, keys.email, at)
        if zone is not None:
            place(resolved.contact_id, zone, USER, at)
        change = Change(resolved.contact_id, resolved.created, frozenset(patch or ()), lists or {}, door)
        following.contacts_changed([change], now=at)
    return Identified(resolved.contact_id, resolved.created, resolved.of_others)


def _is_new_address(email: str | None, resolved: Resolved) -> TypeGuard[str]:
    return email is not None and email != resolved.email and (EMAIL, email) not in resolved.of_others
