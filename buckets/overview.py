"""What operators see of declared buckets: how they stand, who was in them when, and which journeys they feed."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from buckets.actions import Standing
from buckets.definitions import Bucket, index
from buckets.history import Totals, totals
from buckets.models import Backfill, BackfillStatus, BucketConfig, BucketMembership, MembershipStatus
from buckets.rules import Transition, event_name
from contacts.models import Contact
from contacts.queries import contact_by_keys
from contacts.rules import keys_of
from events.definitions import Listener
from events.routing import listeners_of

NEWEST_FIRST = ("-entered_at", "-id")
NAMES = Contact.objects.only("id", "external_id", "anonymous_id", "email")


@dataclass(frozen=True, slots=True)
class Overview:
    """How a bucket stands."""

    bucket: Bucket
    config: BucketConfig
    backfill: Backfill | None
    totals: Totals

    @property
    def enabled(self) -> bool:
        """Whether it judges anybody: the code and staff both say so."""
        return is_on(self.bucket, self.config)

    @property
    def standing(self) -> Standing:
        """Off; or everybody has yet to be judged by the criteria as they are now; or on."""
        if not self.enabled:
            return Standing.OFF
        running = self.backfill is not None and self.backfill.status == BackfillStatus.RUNNING
        if running or self.config.is_stale or self.config.criteria_hash != self.bucket.criteria_hash:
            return Standing.BACKFILL
        return Standing.ON


@dataclass(frozen=True, slots=True)
class Fed:
    """A journey that a bucket's transition starts."""

    journey: Listener
    trigger: str


def is_on(bucket: Bucket, config: BucketConfig | None) -> bool:
    """A bucket is on if the code says so and staff has not switched it off."""
    return bucket.enabled and (config is None or config.enabled)


def buckets_here(*, enabled: bool | None = None) -> list[Bucket]:
    """Return the buckets that exist here in the order of declaration: all, or those alone that are on or off."""
    found = list(index().by_id.values())
    if enabled is None:
        return found
    configs = BucketConfig.objects.in_bulk([bucket.id for bucket in found])
    return [bucket for bucket in found if is_on(bucket, configs.get(bucket.id)) is enabled]


def overviews(buckets: Collection[Bucket], *, now: datetime) -> list[Overview]:
    """Say how each of these stands, however many they are in three statements."""
    ids = [bucket.id for bucket in buckets]
    configs, counts = BucketConfig.objects.in_bulk(ids), totals(ids, now=now)
    latest = Backfill.objects.filter(bucket_id__in=ids).order_by("bucket_id", "-created_at", "-id")
    backfills = {row.bucket_id: row for row in latest.distinct("bucket_id")}
    return [
        Overview(one, configs.get(one.id) or BucketConfig(bucket_id=one.id), backfills.get(one.id), counts[one.id])
        for one in buckets
    ]


def stays(bucket_id: str, *, status: MembershipStatus, user_id: str | None = None) -> QuerySet[BucketMembership]:
    """Return the stays that go on, or those that have ended, the newest first: everybody's or one person's."""
    # Each has an index of its own, and that of what has ended knows when.
    ended = {"left_at__isnull": False} if status == MembershipStatus.LEFT else {"status": status}
    found = BucketMembership.objects.filter(bucket_id=bucket_id, **ended)
    if user_id is not None:
        found = found.filter(contact_id__in=_called(user_id))
    return found.order_by(*NEWEST_FIRST).prefetch_related(Prefetch("contact", NAMES))


def backfills_of(bucket_id: str) -> QuerySet[Backfill]:
    """Return every backfill of a bucket, the newest first."""
    return Backfill.objects.filter(bucket_id=bucket_id).order_by("-created_at", "-id")


def journeys_fed(bucket: Bucket) -> list[Fed]:
    """Return what a bucket's transitions start, each once: first its own reactions, also what is switched off."""
    found: dict[str, Fed] = {}
    for fed in (*_reactions(bucket), *_others(bucket)):
        found.setdefault(fed.journey.id, fed)
    return list(found.values())


def _reactions(bucket: Bucket) -> Iterator[Fed]:
    for trigger in (reaction.trigger(bucket.id) for reaction in bucket.reactions):
        yield from (Fed(one, trigger) for one in listeners_of(trigger) if one.owner == bucket.id)


def _others(bucket: Bucket) -> Iterator[Fed]:
    general = (event_name(Transition.ENTERED), event_name(Transition.LEFT))
    for trigger in (bucket.entered, bucket.left, *general):
        yield from (Fed(one, trigger) for one in listeners_of(trigger))


def _called(key: str) -> list[UUID]:
    """Return whom any key of a person means, after merges the survivor; of who was deleted, only our own id is left."""
    if (contact := contact_by_keys(keys_of(user_id=key, email=key, anonymous_id=key))) is not None:
        return [contact.pk]
    with suppress(ValueError):
        return [UUID(key)]
    return []
