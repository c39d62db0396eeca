"""Judge everybody by a bucket that is new, has changed or was off: slice by slice, and on from where it was left.

Who joins by it is told nobody; who leaves is told of. One transaction is one slice with its progress, and the lock of
the backfill's row is whoever works on it: a worker that dies lets go of both.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from django.db import connection, transaction

from buckets import statements
from buckets.actions.clock import windows
from buckets.actions.dwell import policy_of
from buckets.actions.judge import Moved, judge_people
from buckets.definitions import Bucket, index
from buckets.models import Backfill, BackfillMode, BackfillStatus, BucketConfig, Source, WindowEdge
from contacts.actions import hold_contacts
from contacts.models import Contact
from contacts.pipeline import pipeline
from events.actions import emit_events
from hogsend.doorbell import ring

log = structlog.get_logger(__name__)

SLICE = 2000  # people in one transaction
NOBODY = UUID(int=0)


@dataclass(slots=True)
class Astray:
    """Of a slice of people: how many they are, who is the last, and who of them is not where they belong."""

    people: int
    last: UUID | None
    ids: list[UUID] = field(default_factory=list)


class BucketOffError(RuntimeError):
    """A bucket that is off judges nobody; the message says where to switch it on."""


def plan_backfills(*, now: datetime) -> list[Backfill]:
    """Begin a backfill for each bucket whose members follow other criteria than the code has now.

    To be called when a new version of the code starts: while two versions run, each would undo the other's work.
    """
    begun = []
    for bucket in index().enabled():
        config = BucketConfig.objects.filter(pk=bucket.id).first()
        if config is None or config.is_stale or config.criteria_hash != bucket.criteria_hash:
            with suppress(BucketOffError):
                begun.append(begin_backfill(bucket, now=now))
    return begun


def begin_backfill(bucket: Bucket, *, now: datetime) -> Backfill:
    """Begin a backfill, unless one with the same criteria is running, which is returned then.

    From now on the clock of the bucket stands still until the backfill has ended. One with other criteria is given up.
    Raises BucketOffError.
    """
    with transaction.atomic():
        BucketConfig.objects.get_or_create(bucket_id=bucket.id, defaults={"policy": policy_of(bucket)})
        config = BucketConfig.objects.select_for_update().get(pk=bucket.id)
        if not bucket.enabled or not config.enabled:
            where = "by staff; switch it on in the admin" if bucket.enabled else "in the code; declare it enabled"
            raise BucketOffError(f"The bucket {bucket.id!r} is switched off {where} first.")
        running = Backfill.objects.filter(bucket_id=bucket.id, status=BackfillStatus.RUNNING)
        if (same := running.filter(criteria_hash=bucket.criteria_hash).first()) is not None:
            return same
        running.update(status=BackfillStatus.SUPERSEDED, finished_at=now)
        _set_edges(bucket, now)
        begun = Backfill.objects.create(
            bucket_id=bucket.id,
            mode=_mode(bucket, config),
            criteria_hash=bucket.criteria_hash,
            total=Contact.objects.filter(deleted_at=None).count(),
            created_at=now,
            progressed_at=now,
        )
        ring("buckets.backfill")
    log.info("buckets.backfill_began", bucket=bucket.id, mode=begun.mode, people=begun.total)
    return begun


def _mode(bucket: Bucket, config: BucketConfig) -> BackfillMode:
    if not config.criteria_hash:
        return BackfillMode.FIRST
    return BackfillMode.AGAIN if config.criteria_hash == bucket.criteria_hash else BackfillMode.CHANGED


def run_backfill(bucket: Bucket, *, now: datetime) -> Backfill:
    """Judge everybody now; return what became of it. Somebody else may work on the same backfill meanwhile."""
    begun = begin_backfill(bucket, now=now)
    while continue_backfill(begun.pk, now=now):
        pass
    begun.refresh_from_db()
    return begun


def unfinished() -> list[UUID]:
    """Return the backfills that run, the oldest first."""
    return list(Backfill.objects.filter(status=BackfillStatus.RUNNING).order_by("id").values_list("pk", flat=True))


def continue_backfill(backfill_id: UUID, *, now: datetime) -> bool:
    """Judge the next slice of people; return whether this can go on.

    It cannot when everybody was judged, when somebody else is at it, or when the code here has other criteria.
    """
    with transaction.atomic():
        row = Backfill.objects.select_for_update(skip_locked=True).filter(pk=backfill_id, status="running").first()
        bucket = None if row is None else index().by_id.get(row.bucket_id)
        if row is None or bucket is None or not bucket.enabled or bucket.criteria_hash != row.criteria_hash:
            return False
        found = find_astray(bucket, after=row.reached, now=now, limit=SLICE, again=row.mode == BackfillMode.CHANGED)
        if found.people:
            _need_no_flush()
            moved = _move(bucket, found.ids, now)
            row.joined, row.left = row.joined + moved.joined, row.left + moved.left
            row.processed, row.reached = row.processed + found.people, found.last
        if found.people < SLICE:
            _finish(row, now)
        row.progressed_at, row.error = now, ""
        row.save()
        return row.status == BackfillStatus.RUNNING


def note_error(backfill_id: UUID, error: Exception) -> None:
    """Keep why a slice failed, for those who look; it is tried again."""
    Backfill.objects.filter(pk=backfill_id).update(error=f"{type(error).__name__}: {error}"[:500])


def find_astray(
    bucket: Bucket, *, after: UUID | None, now: datetime, limit: int, may_join: bool = True, again: bool = False
) -> Astray:
    """Look at up to ``limit`` people after ``after`` in the order of ids, and return who is not where they belong.

    Nobody is held by it, so who is found is to be judged again. Who is out is found if they ``may_join``, and who is
    out by the end of the longest stay only if they may do so ``again``.
    """
    with pipeline() as pipe:
        values = [now, after or NOBODY, may_join, again]
        return Astray(*(pipe.send(statements.astray(bucket, limit), values).fetchone() or (0, None)))


def _need_no_flush() -> None:
    """A slice that is lost with a server that dies at once is lost with its progress, and judged again."""
    with connection.cursor() as cursor:
        cursor.execute("set local synchronous_commit = off")


def _move(bucket: Bucket, ids: list[UUID], now: datetime) -> Moved:
    if not ids:
        return Moved()
    hold_contacts(ids)
    moved = judge_people(bucket, ids, source=Source.BACKFILL, now=now)
    if moved.events:
        emit_events(moved.events, now=now, held=True)
    return moved


def _finish(row: Backfill, now: datetime) -> None:
    row.status, row.finished_at = BackfillStatus.DONE, now
    BucketConfig.objects.filter(pk=row.bucket_id).update(
        criteria_hash=row.criteria_hash, is_stale=False, updated_at=now
    )
    counts = {"people": row.processed, "joined": row.joined, "left": row.left}
    transaction.on_commit(lambda: log.info("buckets.backfill_done", bucket=row.bucket_id, **counts))


def _set_edges(bucket: Bucket, now: datetime) -> None:
    """Let the clock go on from here: what fell out of a window before is judged by the backfill."""
    WindowEdge.objects.filter(bucket_id=bucket.id).delete()
    WindowEdge.objects.bulk_create(
        WindowEdge(bucket_id=bucket.id, event_name=name, window=window, edge_at=now)
        for name, window in sorted(windows(bucket))
    )
