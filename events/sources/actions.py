"""The only writer of dead letters, and of the count of what sources left out."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import F

from events.models import DeadLetter, DeadLetterStatus, WebhookSkipReason
from events.sources.definitions import registry
from events.sources.delivery import Delivery, Fault, Outcome, deliver, said
from hogsend.api.errors import ApiError

COUNT = """
    insert into events_webhookskip as s (source_id, reason, count, first_at, last_at)
    values (%(source)s, %(reason)s, %(count)s, %(now)s, %(now)s)
    on conflict (source_id, reason) do update
    set count = s.count + excluded.count, last_at = greatest(s.last_at, excluded.last_at)"""
FORGET = """
    delete from events_deadletter where id in (
        select id from events_deadletter where resolved_at < %s
        order by resolved_at limit %s for update skip locked)"""

log = structlog.get_logger(__name__)


class DeadLetterNotFoundError(LookupError):
    """There is no such dead letter."""


class DeadLetterStateError(ValueError):
    """The dead letter cannot be retried or discarded; the message says why."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry came to: whether the letter is settled now, and what to tell who asked."""

    settled: bool
    sentence: str


def take_delivery(delivery: Delivery, *, now: datetime) -> Outcome:
    """Store what a source has sent: as events, as a count of what was left out, or as a dead letter.

    The same delivery again stores nothing again. Raises ApiError: 400 when the source refuses the payload, 503 when
    nothing could be stored at this moment.
    """
    outcome = deliver(delivery, now=now)
    if outcome.fault is not None:
        _keep(delivery, outcome.fault, now)
    else:
        _count_skips(delivery, outcome, now)
    return outcome


def retry_dead_letter(*, letter_id: UUID, now: datetime) -> Retried:
    """Send a dead letter the same way again, under the same idempotency keys; it stays open if that fails.

    Raises DeadLetterNotFoundError, or DeadLetterStateError when it is settled or its source is gone from the code.
    """
    letter = _open_letter(letter_id)
    if letter.source_id not in registry:
        raise DeadLetterStateError(f"{registry.unknown(letter.source_id)} Declare it again, or discard the letter.")
    delivery = Delivery(letter.id, registry.get(letter.source_id), letter.payload, letter.headers)
    try:
        outcome = deliver(delivery, now=now)
        fault = outcome.fault
    except ApiError as error:
        outcome, fault = Outcome(), Fault(said(error))
    still_open = DeadLetter.objects.filter(id=letter_id, status=DeadLetterStatus.OPEN)
    if fault is not None:
        still_open.update(attempts=F("attempts") + 1, error=fault.sentence, trace=fault.trace)
        return Retried(settled=False, sentence=f"It failed again and stays open: {fault.sentence}")
    if still_open.update(attempts=F("attempts") + 1, status=DeadLetterStatus.RETRIED, resolved_at=now):
        _count_skips(delivery, outcome, now)
    return Retried(settled=True, sentence=_summary(outcome))


def discard_dead_letter(*, letter_id: UUID, now: datetime) -> None:
    """Give a dead letter up. Raises DeadLetterNotFoundError, or DeadLetterStateError when it is settled."""
    mine = DeadLetter.objects.filter(id=letter_id, status=DeadLetterStatus.OPEN)
    if not mine.update(status=DeadLetterStatus.DISCARDED, resolved_at=now):
        letter = _open_letter(letter_id)
        raise DeadLetterStateError(f"The dead letter is {letter.status}; try again.")


def forget_dead_letters(*, older_than: timedelta, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` dead letters that were settled long enough ago, and return how many it were."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [now - older_than, limit])
        return int(cursor.rowcount)


def erase_from_dead_letters(*, emails: Collection[str], ids: Collection[str]) -> int:
    """Delete the dead letters that name a person by one of these addresses or ids, and return how many it were."""
    letters = DeadLetter.objects.iterator(chunk_size=200)
    gone = [letter.id for letter in letters if _names(letter, {one.lower() for one in emails}, set(ids))]
    DeadLetter.objects.filter(id__in=gone).delete()
    return len(gone)


def _keep(delivery: Delivery, fault: Fault, now: datetime) -> None:
    DeadLetter.objects.create(
        id=delivery.id,
        source_id=delivery.source.id,
        payload=delivery.payload,
        headers=dict(delivery.headers),
        error=fault.sentence,
        trace=fault.trace,
        received_at=now,
    )
    log.warning("webhooks.dead_letter", source=delivery.source.id, letter=str(delivery.id), error=fault.sentence)


def _count_skips(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    reasons = Counter([WebhookSkipReason.NO_IDENTITY for one in outcome.told if one.answer is None])
    if not outcome.told:
        reasons[WebhookSkipReason.NOT_WANTED] = 1
    with connection.cursor() as cursor:
        for reason, count in reasons.items():
            cursor.execute(COUNT, {"source": delivery.source.id, "reason": reason.value, "count": count, "now": now})


def _open_letter(letter_id: UUID) -> DeadLetter:
    letter = DeadLetter.objects.filter(id=letter_id).first()
    if letter is None:
        raise DeadLetterNotFoundError("There is no such dead letter; it may have been forgotten.")
    if letter.status != DeadLetterStatus.OPEN:
        raise DeadLetterStateError(f"This dead letter was {letter.status} already; there is nothing left to do.")
    return letter


def _summary(outcome: Outcome) -> str:
    answers = [one.answer for one in outcome.told if one.answer is not None]
    if not answers:
        return "It was delivered; the source left it out, so no event was stored."
    stored = sum(answer.stored for answer in answers)
    return f"It was delivered: events stored now: {stored}, stored before: {len(answers) - stored}."


def _names(letter: DeadLetter, emails: Collection[str], ids: Collection[str]) -> bool:
    """An address may stand inside a text; an id is short and must be a value of its own."""
    values = set(_values(json.loads(letter.payload)))
    text = "\n".join([letter.payload, letter.error, letter.trace, *letter.headers.values(), *values]).lower()
    return not values.isdisjoint(ids) or any(email in text for email in emails)


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _values(inner)
    else:
        yield str(value)
