"""What a run causes beyond its own mail: events about its person or about others, and facts about its person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from buckets.actions import judge_each
from buckets.definitions import index as buckets
from buckets.models import Source
from contacts import following
from contacts.actions import (
    ContactRequest,
    lock_and_read,
    lock_contacts,
    lock_keys,
    merge_among,
    resolve_among,
    resolve_contacts,
)
from contacts.definitions import Change
from contacts.queries import contacts_by_keys
from contacts.rules import Keys
from events.actions import emit_events
from events.definitions import NewEvent, RecordedEvent
from journeys.actions.lease import Lease, database_now
from journeys.actions.record import STEPS, Step, as_json, lock_contact
from journeys.statements import fetch

# The run was proved to be ours by an earlier statement of the transaction, which still holds its row.
CAUSED = f"""
    with fenced as (
        select id, contact_id, status in ('active', 'waiting') as live from journeys_journeyrun where id = %(run)s
    ), journal as ({STEPS})
    select contact_id, live from fenced
"""  # noqa: S608 - put together from our own constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An event that a run causes; without ``keys`` it is about the run's own person."""

    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)
    idempotency_key: str


def hold_people(contact_id: UUID, keys: Keys) -> datetime | None:
    """Lock a run's person together with the owners of ``keys`` and return the database's clock.

    Two runs that cause something for each other's person wait for each other, and never in a circle: all keys come
    first, then all people by id. None if the run's person lives under another id by now.
    """
    if not keys:
        return lock_contact(contact_id)
    lock_keys(keys.pairs())
    alive = lock_contacts({contact_id, *(owner.pk for owner in contacts_by_keys(keys))})
    return database_now() if alive.get(contact_id) == contact_id else None


def keys_of_person(contact_id: UUID) -> Keys:
    """Return a key under which a person is found, whatever else they are called by."""
    return Keys(external=str(contact_id))


def cause_event(lease: Lease, cause: Cause, *, now: datetime) -> RecordedEvent | None:
    """Record an event one hop further than the one that started the run; None if it was recorded before.

    Somebody unknown becomes a contact; of the run's person nothing goes along. The people must be held.
    """
    contact_id = _person_of(lease, cause.keys, now) if cause.keys else lease.contact_id
    new = NewEvent(contact_id, cause.name, cause.properties, idempotency_key=cause.idempotency_key)
    [event] = emit_events([new], now=now, hop=lease.hop + 1, held=True)
    return event


def describe_person(lease: Lease, patch: Mapping[str, Any], *, now: datetime) -> None:
    """Write properties of the run's person, who must be held, and let everybody who follows people hear of it."""
    request = ContactRequest(keys_of_person(lease.contact_id), patch)
    [found] = resolve_contacts([request], now=now)
    _follow(lease, Change(found.contact_id, created=False, properties=frozenset(patch)), now)


def record_caused(lease: Lease, steps: Sequence[Step]) -> tuple[UUID, bool]:
    """Write ``steps`` and return whose the run is now, and whether it lives: what it caused may have changed both."""
    [(contact_id, live)] = fetch(CAUSED, {"run": lease.run_id, "steps": as_json(steps)})
    return contact_id, live


def _person_of(lease: Lease, keys: Keys, now: datetime) -> UUID:
    facts = lock_and_read(keys.pairs(), now)
    policy, facts = merge_among(facts, keys, actor=f"journey run {lease.run_id}", now=now)
    # To be spoken of is not to be seen.
    facts.stale.clear()
    [found] = resolve_among(facts, [ContactRequest(keys)], now=now, policy=policy)
    _follow(lease, Change(found.contact_id, found.created), now)
    return found.contact_id


def _follow(lease: Lease, change: Change, now: datetime) -> None:
    # Judged here first, so that what tells of it carries the run's hop: journeys that move people in a circle end.
    concerned = buckets().concerned(properties=change.properties, is_new=change.created)
    told = judge_each([(bucket, change.contact_id) for bucket in concerned], source=Source.CONTACT, now=now)
    emit_events(told, now=now, hop=lease.hop + 1, held=True)
    following.contacts_changed([change], now=now)
