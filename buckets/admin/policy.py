"""What the code says of a bucket beside its criteria, in words."""

from typing import Any

from django.conf import settings

from buckets.definitions import Bucket, registry
from conditions.durations import in_words

LIMITS = {"unlimited": "each time", "once": "only the first time", "once_per_period": "again after {} out"}


def policy(bucket: Bucket) -> list[tuple[str, Any]]:
    """Say the times and limits of a bucket in words."""
    stays = {"at least": bucket.min_dwell, "at most": bucket.max_dwell}
    period = in_words(bucket.entry_period) if bucket.entry_period else "any time"
    slides = bucket.time_based is not False
    return [
        ("Id", bucket.id),
        ("Declared in", _declared_in(bucket.id)),
        ("Joining is told", LIMITS[bucket.entry_limit].format(period)),
        ("A stay lasts", ", ".join(f"{words} {in_words(time)}" for words, time in stays.items() if time)),
        ("Windows", _windows(bucket) if slides else "do not slide: who is in changes only when something happens"),
        ("Joining by time alone", "" if bucket.reconcile_joins else "never"),
        ("Followed", "every few seconds, whatever BUCKET_RECONCILE_CRON says" if bucket.fast_expiry else ""),
        ("PostHog", f"the property {bucket.property_key} says who is in" if bucket.sync_to_posthog else ""),
    ]


def _windows(bucket: Bucket) -> str:
    """Say the windows of its criteria, the shortest first."""
    found = {leaf.sliding() for leaf in bucket.criteria.leaves()}
    return ", ".join(in_words(window) for window in sorted(window for window in found if window is not None))


def _declared_in(bucket_id: str) -> str:
    """Say in which file and line of the product a bucket stands, if that is known."""
    source = registry.source(bucket_id)
    return "" if source is None else f"{source.file.removeprefix(f'{settings.BASE_DIR}/')}:{source.line}"
