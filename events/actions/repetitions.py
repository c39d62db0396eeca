"""Requests that come again under their idempotency key: they change nothing and are told what the first has become."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from events.idempotency import Claim, remember, taken_of
from events.submission import Answer, Submission

OTHER_EVENT = "This idempotency key was used before for a different event; use a new key for a new event."


def claims_of(submissions: Sequence[Submission]) -> list[Claim]:
    """Return what the submissions with an idempotency key claim."""
    return [
        Claim(f"{one.tenant}:events", one.idempotency_key, one.fingerprint, one.id)
        for one in submissions
        if one.idempotency_key is not None
    ]


def answers_of(claims: Sequence[Claim], taken: bytes = b"[]") -> dict[UUID, Answer]:
    """Answer the claims that came too late, by event, from what events_claim has answered."""
    if not claims:
        return {}
    prints = {claim.answer: claim.fingerprint for claim in claims}
    return {
        event_id: Answer(stored=False, contact_id=first.contact_id, exits=first.exits)
        if first.fingerprint == prints[event_id]
        else Answer(stored=False, contact_id=first.contact_id, reason=OTHER_EVENT)
        for event_id, first in taken_of(claims, taken).items()
    }


def in_order(submissions: Sequence[Submission], answers: dict[UUID, Answer]) -> list[Answer]:
    """Return the answers in order; a repetition inside the batch is told what the one that was stored is told."""
    stored = {(one.tenant, one.idempotency_key): answers[one.id] for one in submissions if answers[one.id].stored}
    found = []
    for one in submissions:
        answer, first = answers[one.id], stored.get((one.tenant, one.idempotency_key))
        if first is not None and not answer.stored:
            exits = first.exits if answer.reason is None else ()
            answer = replace(answer, contact_id=first.contact_id, exits=exits)
        found.append(answer)
    return found


def keep_exits(submissions: Sequence[Submission], answers: dict[UUID, Answer]) -> None:
    """Keep which runs the new events with an idempotency key were told of, for their repetitions."""
    told = {
        (f"{one.tenant}:events", one.idempotency_key): answers[one.id].exits
        for one in submissions
        if one.idempotency_key is not None and answers[one.id].stored and answers[one.id].exits
    }
    remember(told)
