"""Move people whom only time has moved: events fall out of windows, shortest and longest stays end, stays last.

Nothing is looked at but what has changed since the last time, and for half a minute what has changed just before.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from buckets import statements
from buckets.actions.dwell import adopt_policy, dwell, lasting, policy_of
from buckets.actions.judge import Moved, judge_people
from buckets.actions.tell import Teller
from buckets.definitions import Bucket
from buckets.models import BucketConfig, LeaveReason, Source, WindowEdge
from buckets.rules import Schedule, Transition
from contacts.actions import hold_contacts
from contacts.pipeline import array, pipeline
from events.actions import emit_events
from events.definitions import NewEvent

SLICE = 2000  # events or people in one transaction
# An event may be committed a while after the moment that it was recorded under: its edge is looked at for so long.
OVERLAP = timedelta(seconds=30)
LOCK = "select pg_try_advisory_xact_lock(hashtextextended('bucket:' || %s, 0))"


@dataclass
class Reconciled:
    """How many people were judged for a bucket, how many of them joined and left, and how many events told of it."""

    judged: int = 0
    joined: int = 0
    left: int = 0
    told: int = 0


def reconcile(bucket: Bucket, *, now: datetime) -> Reconciled:
    """Move people of one bucket until ``now``, in slices of a transaction each; what was missed before is caught up.

    Who leaves goes before who is told of having stayed. Does nothing while somebody else reconciles the same bucket, or
    when staff have switched it off. Repeating it changes nothing.
    """
    done = Reconciled()
    config = BucketConfig.objects.filter(pk=bucket.id).first()
    if config is not None and config.policy != policy_of(bucket):
        _until_done(bucket, partial(_adopt, bucket))
    for do_slice in _pending(bucket, now, done):
        _until_done(bucket, do_slice)
    return done


def windows(bucket: Bucket) -> set[tuple[str, timedelta]]:
    """Return the windows out of which events fall: none if the code says that time moves nobody."""
    if bucket.time_based is False:
        return set()
    legs = ((leaf.event_name(), leaf.sliding()) for leaf in bucket.criteria.leaves())
    return {(name, window) for name, window in legs if name is not None and window is not None}


def try_lock(bucket: Bucket) -> bool:
    """Hold the bucket until the transaction ends, unless somebody else does."""
    return bool(_one(LOCK, [bucket.id]))


def _pending(bucket: Bucket, now: datetime, done: Reconciled) -> list[Callable[[], bool]]:
    """Return what there is to do, in order, asked in one round trip: mostly there is nothing."""
    own = bucket.id
    steps: list[tuple[str, list[Any], Callable[[], bool]]] = [
        (statements.WINDOW_PENDING, [OVERLAP, now, own, name, window], _Slide(bucket, (name, window), now, done))
        for name, window in sorted(windows(bucket))
    ]
    steps += [
        (statements.SHORTEST_PENDING, [own, now], partial(_end_shortest, bucket, now, done)),
        (statements.LONGEST_PENDING, [own, now], partial(_end_longest, bucket, now, done)),
    ]
    steps += [
        (statements.DWELL_PENDING, [own, one.label, now], partial(_last, bucket, one, now, done))
        for one in bucket.schedules
    ]
    with pipeline() as pipe:
        asked = [(pipe.send(sql, values), do_slice) for sql, values, do_slice in steps]
        return [do_slice for cursor, do_slice in asked if cursor.fetchone() == (True,)]


def _until_done(bucket: Bucket, do_slice: Callable[[], bool]) -> None:
    """Do slices, each in a transaction that holds the bucket, until one says that there are no more."""
    more = True
    while more:
        with transaction.atomic():
            more = _is_free(bucket) and do_slice()


def _is_free(bucket: Bucket) -> bool:
    return try_lock(bucket) and not BucketConfig.objects.filter(pk=bucket.id, enabled=False).exists()


def _adopt(bucket: Bucket) -> bool:
    adopt_policy(bucket, BucketConfig.objects.get(pk=bucket.id))
    return False


class _Slide:
    """Judges slice by slice the people whose events fell out of a window; called in a transaction for each.

    What fell out at one moment belongs together, however much it is: the edge moves on when all of it was judged.
    """

    def __init__(self, bucket: Bucket, window: tuple[str, timedelta], now: datetime, done: Reconciled) -> None:
        self._bucket, self._now, self._done = bucket, now, done
        self._event_name, self._window = window
        self._people: list[UUID] = []
        self._edge_at = now
        self._is_last = False

    def __call__(self) -> bool:
        """Judge one slice; say whether there are more."""
        if not self._people:
            self._find()
        slice_, self._people = self._people[:SLICE], self._people[SLICE:]
        _judge(self._bucket, slice_, self._now, self._done)
        if self._people:
            return True
        self._edges().update(edge_at=self._edge_at)
        return not self._is_last

    def _find(self) -> None:
        """Find who did something up to the end of the next slice, and what the edge is after it."""
        edge, _ = self._edges().get_or_create(
            defaults={"edge_at": self._now},
            bucket_id=self._bucket.id,
            event_name=self._event_name,
            window=self._window,
        )
        since, until = edge.edge_at - self._window - OVERLAP, self._now - self._window
        cut = _one(statements.SLICE_END, [self._event_name, since, until, SLICE])
        if cut is not None:
            until = max(cut, since + timedelta(microseconds=1))
        self._people = _ids(statements.FALLEN_OUT, [self._event_name, since, until])
        self._is_last = cut is None
        beyond = until + self._window + (timedelta(0) if cut is None else OVERLAP)
        self._edge_at = max(edge.edge_at, beyond)

    def _edges(self) -> QuerySet[WindowEdge]:
        return WindowEdge.objects.filter(bucket_id=self._bucket.id, event_name=self._event_name, window=self._window)


def _end_shortest(bucket: Bucket, now: datetime, done: Reconciled) -> bool:
    people = _ids(statements.DUE, [bucket.id, now, SLICE])
    _judge(bucket, people, now, done)
    return len(people) == SLICE


def _end_longest(bucket: Bucket, now: datetime, done: Reconciled) -> bool:
    people = _ids(statements.EXPIRED, [bucket.id, now, SLICE])
    if people:
        hold_contacts(people)
        rows = _rows(statements.expire(bucket), [now, array(people), bucket.id, now, now])
        teller, reason = Teller(bucket, Source.RECONCILE), LeaveReason.MAX_DWELL.value
        told = [
            event
            for contact_id, user_id, *entry in rows
            for event in teller.move(Transition.LEFT, (contact_id, user_id), (entry[0], entry[1]), reason=reason)
        ]
        _note(Moved(left=len(rows), events=told), len(people), now, done)
    return len(people) == SLICE


def _last(bucket: Bucket, schedule: Schedule, now: datetime, done: Reconciled) -> bool:
    people = lasting(bucket, schedule, now=now, limit=SLICE)
    if people:
        hold_contacts(people)
        _emit(dwell(bucket, schedule, people, now=now), now, done)
    return len(people) == SLICE


def _judge(bucket: Bucket, people: Collection[UUID], now: datetime, done: Reconciled) -> None:
    if people:
        hold_contacts(people)
        moved = judge_people(bucket, people, source=Source.RECONCILE, now=now, may_join=bucket.reconcile_joins)
        _note(moved, len(people), now, done)


def _note(moved: Moved, judged: int, now: datetime, done: Reconciled) -> None:
    done.judged += judged
    done.joined += moved.joined
    done.left += moved.left
    _emit(moved.events, now, done)


def _emit(events: Sequence[NewEvent], now: datetime, done: Reconciled) -> None:
    if events:
        emit_events(events, now=now, held=True)
        done.told += len(events)


def _ids(sql: str, values: Sequence[Any]) -> list[UUID]:
    return [row[0] for row in _rows(sql, values)]


def _one(sql: str, values: Sequence[Any]) -> Any:
    return next((row[0] for row in _rows(sql, values)), None)


def _rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with pipeline() as pipe:
        return pipe.send(sql, values).fetchall()
