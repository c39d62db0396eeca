"""Move people whom only time has moved: events fall out of windows, shortest and longest stays end.

Nothing is looked at but what has changed since the last time, and for half a minute what has changed just before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from buckets import statements
from buckets.actions.judge import judge_people, told
from buckets.definitions import Bucket
from buckets.models import LeaveReason, Source, WindowEdge
from buckets.rules import Transition
from contacts.actions import lock_contacts
from contacts.pipeline import array, pipeline
from events.actions import emit_events
from events.definitions import NewEvent

SLICE = 2000  # events or people in one transaction
# An event may be committed a while after the moment that it was recorded under: its edge is looked at for so long.
OVERLAP = timedelta(seconds=30)
LOCK = "select pg_try_advisory_xact_lock(hashtextextended('bucket:' || %s, 0))"


@dataclass
class Reconciled:
    """How many people were judged for a bucket, and how many of them moved and were told of."""

    judged: int = 0
    told: int = 0


def reconcile(bucket: Bucket, *, now: datetime) -> Reconciled:
    """Move people of one bucket until ``now``, in slices of a transaction each; what was missed before is caught up.

    Does nothing while somebody else reconciles the same bucket. Repeating it changes nothing.
    """
    done = Reconciled()
    for event_name, window in sorted(_windows(bucket)):
        while _slide(bucket, event_name, window, now, done):
            pass
    for due in (statements.DUE, statements.EXPIRED):
        while _end(bucket, due, now, done):
            pass
    return done


def _windows(bucket: Bucket) -> set[tuple[str, timedelta]]:
    legs = ((leaf.event_name(), leaf.sliding()) for leaf in bucket.criteria.leaves())
    return {(name, window) for name, window in legs if name is not None and window is not None}


def _slide(bucket: Bucket, event_name: str, window: timedelta, now: datetime, done: Reconciled) -> bool:
    """Judge the people of one slice of events that fell out of a window; say whether there are more."""
    with transaction.atomic():
        if not _locked(bucket):
            return False
        edge, _ = WindowEdge.objects.get_or_create(
            bucket_id=bucket.id, event_name=event_name, window=window, defaults={"edge_at": now}
        )
        since, until = edge.edge_at - window - OVERLAP, now - window
        cut = _one(statements.SLICE_END, [event_name, since, until, SLICE])
        if cut is not None:
            until = max(cut, since + timedelta(microseconds=1))
        people = _ids(statements.FALLEN_OUT, [event_name, since, until])
        _judge(bucket, people, now, done)
        edge.edge_at = max(edge.edge_at, until + window + (OVERLAP if cut is not None else timedelta(0)))
        edge.save(update_fields=["edge_at"])
        return cut is not None


def _end(bucket: Bucket, due: str, now: datetime, done: Reconciled) -> bool:
    """Judge one slice of the stays whose shortest time is over, or end those whose longest is; say whether more are."""
    with transaction.atomic():
        if not _locked(bucket):
            return False
        people = _ids(due, [bucket.id, now, SLICE])
        if due == statements.DUE:
            _judge(bucket, people, now, done)
        elif people:
            alive = set(lock_contacts(people).values())
            done.judged += len(alive)
            _emit(_expired(bucket, alive, now), now, done)
        return len(people) == SLICE


def _judge(bucket: Bucket, people: Collection[UUID], now: datetime, done: Reconciled) -> None:
    if not people:
        return
    alive = set(lock_contacts(people).values())
    done.judged += len(alive)
    events = judge_people(bucket, alive, source=Source.RECONCILE, now=now, may_join=bucket.reconcile_joins)
    _emit(events, now, done)


def _expired(bucket: Bucket, people: Collection[UUID], now: datetime) -> list[NewEvent]:
    rows = _rows(statements.EXPIRE, [now, array(people), bucket.id, now])
    left, source, reason = Transition.LEFT, Source.RECONCILE, LeaveReason.MAX_DWELL
    return [
        told(bucket, left, (contact_id, person), entry_number, source=source, reason=reason)
        for contact_id, person, entry_number in rows
    ]


def _emit(events: Sequence[NewEvent], now: datetime, done: Reconciled) -> None:
    if events:
        emit_events(events, now=now)
        done.told += len(events)


def _locked(bucket: Bucket) -> bool:
    return bool(_one(LOCK, [bucket.id]))


def _ids(sql: str, values: Sequence[Any]) -> list[UUID]:
    return [row[0] for row in _rows(sql, values)]


def _one(sql: str, values: Sequence[Any]) -> Any:
    return next((row[0] for row in _rows(sql, values)), None)


def _rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with pipeline() as pipe:
        return pipe.send(sql, values).fetchall()
