"""Move people to where they belong."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from buckets import statements
from buckets.actions.tell import Teller
from buckets.definitions import Bucket
from buckets.models import LeaveReason, Source
from buckets.rules import Transition
from contacts.pipeline import Pipeline, array, pipeline
from events.definitions import NewEvent

Row = tuple[str, UUID, str, int, bool, UUID | None]


@dataclass(slots=True)
class Moved:
    """How many people a judgement let in and out, and the events that tell of those moves which are told."""

    joined: int = 0
    left: int = 0
    events: list[NewEvent] = field(default_factory=list)


def judge_people(
    bucket: Bucket, contact_ids: Collection[UUID], *, source: Source, now: datetime, may_join: bool = True
) -> Moved:
    """Let those of the people who belong into ``bucket`` join, if they ``may_join``, and those who do not leave.

    The caller emits the events in the same transaction. Nobody is told who joins by a backfill. The people's locks must
    be held, so that two judgements of one person follow each other. Repeating it changes nothing.
    """
    with pipeline() as pipe:
        rows = _send(pipe, bucket, array(contact_ids), source, now, may_join=may_join).fetchall()
    return _moved(bucket, rows, source)


def judge_each(concerned: Iterable[tuple[Bucket, UUID]], *, source: Source, now: datetime) -> list[NewEvent]:
    """Judge each person by each bucket that concerns them, in one round trip; return what tells of it."""
    people: dict[str, tuple[Bucket, set[UUID]]] = {}
    for bucket, contact_id in concerned:
        people.setdefault(bucket.id, (bucket, set()))[1].add(contact_id)
    if not people:
        return []
    with pipeline() as pipe:
        sent = [(bucket, _send(pipe, bucket, array(ids), source, now)) for bucket, ids in people.values()]
        found = [(bucket, cursor.fetchall()) for bucket, cursor in sent]
    return [event for bucket, rows in found for event in _moved(bucket, rows, source).events]


def _send(pipe: Pipeline, bucket: Bucket, ids: str, source: Source, now: datetime, *, may_join: bool = True) -> Any:
    statement = statements.judge(bucket, backfill=source is Source.BACKFILL, schedules=bucket.schedules)
    return pipe.send(statement, [now, ids, source.value, may_join])


def _moved(bucket: Bucket, rows: Iterable[Row], source: Source) -> Moved:
    moved, teller = Moved(), Teller(bucket, source)
    for transition, contact_id, user_id, entry_number, announced, born_as in rows:
        joins = transition == Transition.ENTERED
        moved.joined += joins
        moved.left += not joins
        if announced and not (joins and source is Source.BACKFILL):
            who, entry = (contact_id, user_id), (entry_number, born_as)
            moved.events += teller.move(transition, who, entry, reason=LeaveReason.CRITERIA.value)
    return moved
