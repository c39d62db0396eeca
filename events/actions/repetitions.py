"""Requests that come again under their idempotency key: they change nothing and are told what the first has become."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from events.idempotency import Claim, taken_of
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
        event_id: Answer(
            stored=False,
            contact_id=first.contact_id,
            reason=None if first.fingerprint == prints[event_id] else OTHER_EVENT,
        )
        for event_id, first in taken_of(claims, taken).items()
    }


def in_order(submissions: Sequence[Submission], answers: dict[UUID, Answer]) -> list[Answer]:
    """Return the answers in order; a repetition inside the batch names the contact of the one that was stored."""
    stored = {
        (one.tenant, one.idempotency_key): answers[one.id].contact_id for one in submissions if answers[one.id].stored
    }
    found = []
    for one in submissions:
        answer = answers[one.id]
        if not answer.stored and answer.contact_id is None:
            answer = replace(answer, contact_id=stored.get((one.tenant, one.idempotency_key)))
        found.append(answer)
    return found
