"""Where a bucket stands, in one word for staff."""

from dataclasses import dataclass

from buckets.definitions import Bucket
from buckets.models import Backfill, BucketConfig


@dataclass(frozen=True, slots=True)
class State:
    """Where a bucket stands.

    Attributes:
        kind: ``on``, ``off``, ``busy`` (everybody is being judged, or will be at once) or ``gone`` from the code.
        share: How much of a running backfill is done, in per cent.
    """

    kind: str
    words: str
    tone: str
    share: int | None = None


def state_of(bucket: Bucket | None, config: BucketConfig, backfill: Backfill | None) -> State:
    """Say where a bucket stands; what switches it off comes before what it is busy with."""
    if bucket is None:
        return State("gone", "not in the code", "plain")
    return _off(bucket, config) or _busy(bucket, config, backfill) or State("on", "on", "good")


def share_of(backfill: Backfill) -> int:
    """Return how much is done, in per cent; how many people there are was counted at the beginning."""
    return min(100, 100 * backfill.processed // backfill.total) if backfill.total else 0


def _off(bucket: Bucket, config: BucketConfig) -> State | None:
    if not bucket.is_wanted:
        return State("off", "left out here", "plain")
    if not bucket.enabled:
        return State("off", "off in the code", "plain")
    return None if config.enabled else State("off", "switched off", "warn")


def _busy(bucket: Bucket, config: BucketConfig, backfill: Backfill | None) -> State | None:
    if backfill is not None:
        share = share_of(backfill)
        words, tone = ("backfill stuck", "bad") if backfill.error else ("backfill", "live")
        return State("busy", f"{words} {share} %", tone, share)
    if not config.criteria_hash:
        return State("busy", "never backfilled", "warn")
    is_behind = config.is_stale or config.criteria_hash != bucket.criteria_hash
    return State("busy", "waits for a backfill", "warn") if is_behind else None
