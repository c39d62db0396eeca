"""What the clock does for one bucket at one tick: go on with it, judge everybody first, or let it rest."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction

from buckets.actions.backfill import begin_backfill
from buckets.actions.clock import Reconciled, reconcile
from buckets.definitions import Bucket
from buckets.models import Backfill, BackfillStatus, BucketConfig

NOTED_EVERY = timedelta(minutes=1)


class Standing(StrEnum):
    """What the clock may do for a bucket."""

    OFF = "off"
    BACKFILL = "backfill"
    ON = "on"


def follow(bucket: Bucket, *, now: datetime) -> tuple[Standing, Reconciled]:
    """Follow the clock for a bucket, or say why not.

    A bucket that nobody was judged by yet, or that was off, gets a backfill first, and while one runs its clock stands
    still: so nobody is told of people who have been where they belong for long.
    """
    config = BucketConfig.objects.filter(pk=bucket.id).first()
    if not bucket.enabled or (config is not None and not config.enabled):
        BucketConfig.objects.filter(pk=bucket.id, is_stale=False).update(is_stale=True)
        return Standing.OFF, Reconciled()
    if config is None or not config.criteria_hash or config.is_stale:
        begin_backfill(bucket, now=now)
        return Standing.BACKFILL, Reconciled()
    if Backfill.objects.filter(bucket_id=bucket.id, status=BackfillStatus.RUNNING).exists():
        return Standing.BACKFILL, Reconciled()
    done = reconcile(bucket, now=now)
    if done.judged or config.followed_at is None or config.followed_at < now - NOTED_EVERY:
        BucketConfig.objects.filter(pk=bucket.id).update(followed_at=now)
    return Standing.ON, done


def set_enabled(bucket: Bucket, *, enabled: bool, now: datetime) -> BucketConfig:
    """Switch a bucket on or off for everybody, at once. Off, it keeps its members and judges nobody.

    When it is switched on again, everybody is judged before its clock goes on; a backfill that runs is given up.
    """
    with transaction.atomic():
        BucketConfig.objects.get_or_create(bucket_id=bucket.id)
        config = BucketConfig.objects.select_for_update().get(pk=bucket.id)
        if config.enabled != enabled:
            config.enabled, config.is_stale = enabled, True
            config.save(update_fields=["enabled", "is_stale", "updated_at"])
            running = Backfill.objects.filter(bucket_id=bucket.id, status=BackfillStatus.RUNNING)
            running.update(status=BackfillStatus.CANCELLED, finished_at=now)
        if enabled and bucket.enabled and config.is_stale:
            begin_backfill(bucket, now=now)
    return config
