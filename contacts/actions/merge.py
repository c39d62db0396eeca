"""Two people become one. The journal of it holds all that is needed to take it back (contacts/actions/undo.py)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from contacts import following, statements
from contacts.actions.lock import Facts, lock_and_read, lock_contacts
from contacts.actions.resolve import standard_policy
from contacts.definitions import Merge
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict
from contacts.pipeline import pipeline
from contacts.rules import Directory, Key, Keys, Person, Policy

log = structlog.get_logger(__name__)

NAMES = ("external_id", "email", "anonymous_id", "timezone", "timezone_source")


class MergeError(ValueError):
    """These two cannot become one; the message says why."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would do: how many rows of each app would move, and what the survivor would be."""

    moved: dict[str, int]
    survivor: dict[str, Any]
    keys: list[tuple[str, str]]


def merge_among(facts: Facts, keys: Keys, *, actor: str, now: datetime) -> tuple[Policy, Facts]:
    """Merge the owners of ``keys`` who are one person, given what has been read under the locks of all of them.

    Returns the policy under which the keys can be resolved in the same transaction, and what is true afterwards. Does
    nothing for keys of one person, of nobody, or of people who stay apart.
    """
    policy = _policy(facts.owners)
    plan = Directory(facts.owners, policy).merges(keys)
    if plan is None:
        return policy, facts
    for absorbed in plan.absorbed:
        _merge(plan.survivor.id, absorbed.id, actor=actor, now=now)
    return policy, lock_and_read(keys.pairs(), now)


def merge_contacts(*, survivor_id: UUID, absorbed_id: UUID, actor: str, now: datetime) -> ContactMerge:
    """Make ``absorbed_id`` a part of ``survivor_id``: keys, properties and the rows of every app; return the journal.

    Raises MergeError when the two are one already or one of them is gone.
    """
    with transaction.atomic():
        alive = lock_contacts({survivor_id, absorbed_id})
        if alive.get(survivor_id) != survivor_id or alive.get(absorbed_id) != absorbed_id:
            raise MergeError("One of the two has been merged or deleted meanwhile; look at both again.")
        if survivor_id == absorbed_id:
            raise MergeError("This is one contact already; choose two.")
        return _merge(survivor_id, absorbed_id, actor=actor, now=now)


def preview_merge(*, survivor_id: UUID, absorbed_id: UUID, now: datetime) -> Preview:
    """Say what a merge would do, by doing it and rolling back. Raises MergeError as ``merge_contacts`` does."""
    with transaction.atomic():
        done = merge_contacts(survivor_id=survivor_id, absorbed_id=absorbed_id, actor="preview", now=now)
        transaction.set_rollback(True)
    return Preview(
        rows_moved(done.before["moved"]), done.before["after"], [(kind, value) for kind, value in done.before["keys"]]
    )


def rows_moved(moved: Mapping[str, Any]) -> dict[str, int]:
    """Count by app the rows that a merge has moved, from what the followers have noted."""
    return {app: len(set(_leaves(rows))) for app, rows in moved.items()}


def snapshot(contact: Contact) -> dict[str, Any]:
    """Return what a merge may change of a person, as JSON."""
    return {
        **{name: getattr(contact, name) for name in NAMES},
        "properties": contact.properties,
        "first_seen_at": contact.first_seen_at.isoformat(),
        "last_seen_at": contact.last_seen_at.isoformat(),
    }


def _policy(owners: dict[Key, Person]) -> Policy:
    """Add whom staff have kept apart to what the settings say."""
    ids = {owner.id for owner in owners.values()}
    if len(ids) < 2:  # noqa: PLR2004 - it takes two
        return standard_policy()
    undone = ContactMerge.objects.filter(survivor__in=ids, absorbed__in=ids, undone_at__isnull=False)
    pairs = undone.values_list("survivor_id", "absorbed_id")
    apart = frozenset(frozenset(pair) for pair in pairs)
    return Policy(standard_policy().merge_identified, apart)


def _merge(survivor_id: UUID, absorbed_id: UUID, *, actor: str, now: datetime) -> ContactMerge:
    survivor, absorbed = (Contact.objects.get(pk=one) for one in (survivor_id, absorbed_id))
    before = {"survivor": snapshot(survivor), "absorbed": snapshot(absorbed)}
    merge = Merge(survivor_id, absorbed_id, now)
    following.contacts_merged(merge)
    keys = _move_keys(absorbed_id, survivor_id)
    _retire(absorbed, survivor_id, now)
    _grow(survivor, absorbed_id, now)
    _settle_conflicts(survivor_id, absorbed_id, now)
    told = {"survivor_id": str(survivor_id), "absorbed_id": str(absorbed_id), "actor": actor}
    transaction.on_commit(lambda: log.info("contacts.merged", **told))
    journal = {**before, "after": snapshot(survivor), "keys": keys, "moved": merge.moved}
    row = ContactMerge.objects.create(
        survivor_id=survivor_id, absorbed_id=absorbed_id, actor=actor, before=journal, created_at=now
    )
    following.people_settled([survivor_id], now=now)
    return row


def _move_keys(absorbed_id: UUID, survivor_id: UUID) -> list[list[str]]:
    keys = ContactKey.objects.filter(contact_id=absorbed_id)
    moved = [list(key) for key in keys.order_by("kind", "value").values_list("kind", "value")]
    keys.update(contact_id=survivor_id)
    return moved


def _retire(absorbed: Contact, survivor_id: UUID, now: datetime) -> None:
    # Before the survivor grows: the columns of the living are unique.
    absorbed.deleted_at, absorbed.merged_into_id, absorbed.updated_at = now, survivor_id, now
    absorbed.save(update_fields=["deleted_at", "merged_into", "updated_at"])


def _grow(survivor: Contact, absorbed_id: UUID, now: datetime) -> None:
    with pipeline() as pipe:
        pipe.send(statements.GROW, [now, survivor.pk, absorbed_id])
    survivor.refresh_from_db()


def _settle_conflicts(survivor_id: UUID, absorbed_id: UUID, now: datetime) -> None:
    between = Q(contact_id=survivor_id, other_id=absorbed_id) | Q(contact_id=absorbed_id, other_id=survivor_id)
    KeyConflict.objects.filter(between, resolved_at=None).update(resolved_at=now)


def _leaves(rows: Any) -> Iterator[str]:
    """List the rows that a follower has noted: ids, or lists of ids by name. What only says how a row was is no row."""
    if isinstance(rows, list):
        yield from map(str, rows)
        return
    for name, part in rows.items():
        kind = "runs" if name == "ended" else name
        yield from (f"{kind}:{row}" for row in (part if isinstance(part, list) else []))
