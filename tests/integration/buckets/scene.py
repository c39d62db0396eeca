"""What tests of buckets say: who did what when, who is in, and what was told."""

from datetime import UTC, datetime, timedelta

from buckets.definitions import Bucket
from buckets.models import BucketConfig, BucketMembership
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY


def does(*people: str, at: datetime = NOW, name: str = "active", now: datetime | None = None, **patch: object) -> None:
    """Let each of the people do something."""
    sent = [
        Submission(id=new_id(), name=name, keys=Keys(person), patch=patch or None, occurred_at=at) for person in people
    ]
    ingest_events(sent, now=now or at)


def inside(bucket_id: str = "b") -> set[str]:
    """Return who is in, by user id."""
    rows = BucketMembership.objects.filter(status="active", bucket_id=bucket_id)
    return set(rows.values_list("contact__external_id", flat=True))


def told(prefix: str = "") -> list[tuple[str, str, str | None]]:
    """Return what was told of buckets: the event, the source, the reason."""
    rows = Event.objects.filter(name__startswith=f"bucket:{prefix}").order_by("seq")
    return [(row.name.removeprefix("bucket:"), row.properties["source"], row.properties.get("reason")) for row in rows]


def settled(bucket: Bucket) -> BucketConfig:
    """Say that everybody was judged by the bucket as it is."""
    config, _ = BucketConfig.objects.update_or_create(
        bucket_id=bucket.id, defaults={"criteria_hash": bucket.criteria_hash, "is_stale": False}
    )
    return config
