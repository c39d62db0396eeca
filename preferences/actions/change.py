"""Record what people choose."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction

from contacts.actions import lock_contacts
from events.actions import emit_events
from events.definitions import NewEvent
from preferences import statements
from preferences.models import ConsentChange
from preferences.queries import standings_of
from preferences.rules import Choice, Part, Standing, after

log = structlog.get_logger(__name__)

_Told = tuple[UUID, Choice, list[Part]]  # who chose, what, and the parts of their consent that it changed


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

    A change is kept in the history and told as ``contact.subscribed`` or ``contact.unsubscribed``; a repeated choice
    is neither.
    """
    with transaction.atomic():
        told = change_many([Choice(contact_id, category, subscribed, door.value, send_id)], now=now)
        if told:
            emit_events(told, now=now)
    return bool(told)


def change_many(choices: Sequence[Choice], *, now: datetime) -> list[NewEvent]:
    """Record choices in their order, and return the events that tell of those which changed something.

    The caller emits them. Coming back to one category also lifts the opt-out from all mail, if the person came by a
    door of their own; nobody else may lift it in passing. Holds the locks of the contacts, so that two changes at
    once both stand, and follows a merge to the survivor. Idempotent: a repeated choice leaves no trace.
    """
    if not choices:
        return []
    with transaction.atomic(savepoint=False):
        alive = lock_contacts({choice.contact_id for choice in choices})
        before = standings_of(set(alive.values()))
        now_at, told, dropped = dict(before), list[_Told](), Counter[str]()
        for choice in choices:
            living = alive.get(choice.contact_id)
            if living is None:
                dropped["contact_deleted"] += 1
                continue
            now_at[living], changed = after(now_at[living], choice)
            if changed:
                told.append((living, choice, changed))
            else:
                dropped["as_before"] += 1
        write_standings({living: now_at[living] for living, _, _ in told}, now=now)
        _lift({living: (before[living], now_at[living]) for living, _, _ in told}, now=now)
        _remember(told, now=now)
    if dropped:
        log.info("preferences.unchanged", **dropped)
    return [_event(living, choice) for living, choice, _ in told]


def pause(*, contact_id: UUID, until: datetime | None, now: datetime) -> bool:
    """Hold back a person's mail ``until`` then (None: end the pause); tell whether anything changed."""
    with transaction.atomic(), connection.cursor() as cursor:
        living = lock_contacts({contact_id}).get(contact_id)
        cursor.execute(statements.PAUSE, {"contact": living, "until": until, "now": now})
        return cursor.fetchone() is not None


def write_standings(standings: Mapping[UUID, Standing], *, now: datetime) -> None:
    """Make these the people's own choices. Their locks must be held."""
    if not standings:
        return
    values: list[Any] = [
        list(standings),
        [one.unsubscribed_all for one in standings.values()],
        [json.dumps(dict(one.categories)) for one in standings.values()],
        [one.paused_until for one in standings.values()],
        now,
    ]
    with connection.cursor() as cursor:
        cursor.execute(statements.WRITE, values)


def _lift(moves: Mapping[UUID, tuple[Standing, Standing]], *, now: datetime) -> None:
    """Take from the tombstones of people's addresses what the people have said yes to since."""
    lifted = {
        living: (was.barred_all and not is_now.barred_all, sorted(was.barred - is_now.barred))
        for living, (was, is_now) in moves.items()
        if (was.barred_all, was.barred) != (is_now.barred_all, is_now.barred)
    }
    if not lifted:
        return
    with connection.cursor() as cursor:
        all_mail, categories = zip(*lifted.values(), strict=True)
        named = [json.dumps(names) for names in categories]
        cursor.execute(statements.LIFT, [now, list(lifted), list(all_mail), named])
        cursor.execute(statements.FORGET, [[row[0] for row in cursor.fetchall()]])


def _remember(told: Sequence[_Told], *, now: datetime) -> None:
    ConsentChange.objects.bulk_create(
        ConsentChange(
            contact_id=living,
            category=part,
            subscribed=choice.subscribed,
            door=choice.door,
            send_id=choice.send_id,
            created_at=now,
        )
        for living, choice, changed in told
        for part in changed
    )


def _event(contact_id: UUID, choice: Choice) -> NewEvent:
    properties: dict[str, Any] = {"category": choice.category, "door": choice.door}
    if choice.send_id is not None:
        properties["emailSendId"] = str(choice.send_id)
    name = "contact.subscribed" if choice.subscribed else "contact.unsubscribed"
    return NewEvent(contact_id=contact_id, name=name, properties=properties)
