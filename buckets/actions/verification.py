"""Judge everybody anew, compare with who is in, and put right what is astray: there should never be anything."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from buckets.actions.backfill import SLICE, find_astray
from buckets.actions.clock import reconcile
from buckets.actions.judge import Moved, judge_people
from buckets.definitions import Bucket
from buckets.models import Backfill, BackfillStatus, BucketConfig, Source, Verification
from contacts.actions import hold_contacts
from events.actions import emit_events
from hogsend.clock import database_now

log = structlog.get_logger(__name__)


class NotVerifiableError(RuntimeError):
    """This bucket cannot be verified now; the message says why."""


def verify(bucket: Bucket, *, clock: Callable[[], datetime] = database_now, repair: bool = True) -> Verification:
    """Compare who is in the bucket with who belongs there and, to ``repair``, move who is astray and tell of it.

    The clock is followed first, so what it had yet to do is no fault. Who waits for the end of a shortest stay, left by
    the longest, or is kept out because time alone lets nobody in, is where they belong. Raises NotVerifiableError for a
    bucket that is off, that nobody was judged by yet, or whose windows do not slide.
    """
    _refuse(bucket)
    began = clock()
    reconcile(bucket, now=began)
    people, missing, surplus, repaired = 0, 0, 0, 0
    after: UUID | None = None
    while True:
        found = find_astray(bucket, after=after, now=began, limit=SLICE, may_join=bucket.reconcile_joins)
        people, after = people + found.people, found.last
        if found.ids:
            wrong = _judged_again(bucket, found.ids, clock, repair=repair)
            missing, surplus = missing + wrong.joined, surplus + wrong.left
            repaired += wrong.joined + wrong.left if repair else 0
        if found.people < SLICE:
            break
    if missing or surplus:
        log.error("buckets.astray", bucket=bucket.id, missing=missing, surplus=surplus, repaired=repaired)
    return Verification.objects.create(
        bucket_id=bucket.id,
        people=people,
        missing=missing,
        surplus=surplus,
        repaired=repaired,
        started_at=began,
        finished_at=clock(),
    )


def _judged_again(bucket: Bucket, ids: list[UUID], clock: Callable[[], datetime], *, repair: bool) -> Moved:
    """Judge under their locks and at the present moment those who seemed astray; without ``repair`` take it back."""
    with transaction.atomic():
        hold_contacts(ids)
        now = clock()
        moved = judge_people(bucket, ids, source=Source.RECONCILE, now=now, may_join=bucket.reconcile_joins)
        if not repair:
            transaction.set_rollback(True)
        elif moved.events:
            emit_events(moved.events, now=now, held=True)
    return moved


def _refuse(bucket: Bucket) -> None:
    config = BucketConfig.objects.filter(pk=bucket.id).first()
    if not bucket.enabled or (config is not None and not config.enabled):
        raise NotVerifiableError(f"The bucket {bucket.id!r} is off; switch it on first.")
    if config is None or config.criteria_hash != bucket.criteria_hash or config.is_stale:
        raise NotVerifiableError(f"Not everybody was judged by {bucket.id!r} yet; wait for its backfill.")
    if Backfill.objects.filter(bucket_id=bucket.id, status=BackfillStatus.RUNNING).exists():
        raise NotVerifiableError(f"A backfill of {bucket.id!r} is running; wait for its end.")
    if bucket.time_based is False and any(leaf.sliding() for leaf in bucket.criteria.leaves()):
        raise NotVerifiableError(f"The windows of {bucket.id!r} do not slide (time_based=False), so nobody is astray.")
