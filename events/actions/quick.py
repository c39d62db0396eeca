"""The short way: events that no consumer reacts to, of people about whom there is nothing to decide, in one call.

It does what ``ingest_events`` does, which stays the measure of it (tests/properties/test_quick.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from contacts.actions import lock_numbers, patch_json
from contacts.pipeline import array, call, columns
from contacts.rules import Key, Keys
from events.actions.repetitions import answers_of, claims_of, in_order, keep_exits
from events.idempotency import asked_for as claims_asked_for
from events.routing import hear, questions
from events.submission import Answer, Submission
from hogsend.lib.ids import new_id

INGEST = f"select events_ingest({', '.join(f'${n}' for n in range(1, 21))})"  # events/migrations/0004

_answer = msgspec.json.Decoder(tuple[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_stored = msgspec.json.Decoder(tuple[list[UUID], list[str] | None])


@dataclass(slots=True)
class _Party:
    """Keys that came together, once or more often, and what came with them."""

    keys: Keys
    position: int
    patch: dict[str, msgspec.Raw]
    seen_at: datetime | None = None


def ingest_quickly(submissions: Sequence[Submission]) -> list[Answer] | None:
    """Record events that concern no consumer, and answer each in order; None when somebody has to decide first.

    Nothing is written then. One statement, which is a transaction of its own unless one is open; a second one when
    there were repetitions.
    """
    claims, taken = claims_of(submissions), list[msgspec.Raw]()
    answers = answers_of(claims)
    while fresh := [one for one in submissions if one.id not in answers]:
        parties = _parties(fresh)
        if parties is None:
            return None
        how, answer = _answer.decode(call(INGEST, _asked(fresh, parties, claims_asked_for(claims_of(fresh)))))
        if how == "taken":
            taken += _list.decode(answer)
            answers = answers_of(claims, msgspec.json.encode(taken))
        elif how == "unusual":
            return None
        else:
            answers |= _stored_answers(fresh, parties, answer)
            keep_exits(fresh, answers)
    return in_order(submissions, answers)


def _parties(submissions: Sequence[Submission]) -> dict[Keys, _Party] | None:
    """Gather what came under the same keys; None if a key came in different company, for then order matters."""
    parties: dict[Keys, _Party] = {}
    for one in submissions:
        party = parties.get(one.keys)
        if party is None:
            party = parties[one.keys] = _Party(one.keys, len(parties) + 1, {})
        if one.patch:
            party.patch.update(one.patch)
        if one.occurred_at is not None and (party.seen_at is None or one.occurred_at < party.seen_at):
            party.seen_at = one.occurred_at
    pairs = _pairs(parties)
    return parties if len(set(pairs)) == len(pairs) else None


def _pairs(parties: dict[Keys, _Party]) -> list[Key]:
    return [key for keys in parties for key in keys.pairs()]


def _asked(submissions: Sequence[Submission], parties: dict[Keys, _Party], claims: list[str]) -> list[str]:
    """Return the twenty arrays that events_ingest takes."""
    whom = columns(
        (new_id(), one.keys.external, one.keys.email, one.keys.anonymous, patch_json(one.patch), one.seen_at)
        for one in parties.values()
    )
    keys = columns((party.position, *key) for party in parties.values() for key in party.keys.pairs())
    events = columns(
        (one.id, parties[one.keys].position, one.name, one.properties_json, one.occurred_at) for one in submissions
    )
    return [lock_numbers(_pairs(parties)), *whom, *keys, *events, *claims, array(questions())]


def _stored_answers(
    submissions: Sequence[Submission], parties: dict[Keys, _Party], answer: bytes
) -> dict[UUID, Answer]:
    people, told = _stored.decode(answer)
    exits = hear(told or [])
    found = {}
    for one in submissions:
        contact_id = people[parties[one.keys].position - 1]
        found[one.id] = Answer(stored=True, contact_id=contact_id, exits=exits.get(contact_id, ()))
    return found
