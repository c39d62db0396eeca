"""Who is in which bucket, and who was."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from hogsend.lib.ids import new_id


class MembershipStatus(models.TextChoices):
    """Active is in; left is out, and the row stays as history (docs/states.md)."""

    ACTIVE = "active", "in"
    LEFT = "left", "out"


class Source(models.TextChoices):
    """What noticed that somebody joined or left."""

    EVENT = "event", "an event"
    CONTACT = "contact", "a contact write"
    RECONCILE = "reconcile", "the clock"
    BACKFILL = "backfill", "a backfill"


class LeaveReason(models.TextChoices):
    """Why somebody left. Nobody is told of the last two."""

    CRITERIA = "criteria", "the criteria"
    MAX_DWELL = "maxDwell", "the longest stay"
    DELETED = "deleted", "the contact was deleted"
    MERGED = "merged", "the contact was merged"


class BucketMembership(models.Model):
    """One stay of one person in one bucket: each time somebody joins there is a new row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(
        "contacts.Contact", on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    bucket_id = models.TextField()
    status = models.CharField(max_length=6, choices=MembershipStatus, default=MembershipStatus.ACTIVE)
    entry_number = models.PositiveIntegerField(default=1, help_text="How often this person has joined by now.")
    born_as = models.UUIDField(
        null=True,
        blank=True,
        help_text="The contact when the stay began, if it was merged since: names the stay for ever.",
    )
    source = models.CharField(max_length=9, choices=Source)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    leave_reason = models.CharField(max_length=8, choices=LeaveReason, blank=True, default="")
    leave_due_at = models.DateTimeField(
        null=True, blank=True, help_text="The criteria are false since, and the shortest stay ends then."
    )
    max_dwell_at = models.DateTimeField(null=True, blank=True, help_text="The longest stay ends then.")
    dwell_anchor_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when a dwell is counted, if not since joining: found by a backfill."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bucket_id", "contact"], name="membership_active", condition=Q(status="active")
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact", "bucket_id"], name="membership_of_contact"),
            models.Index(fields=["bucket_id", "-entered_at"], name="membership_latest"),
            models.Index(fields=["bucket_id", "-left_at"], name="membership_left", condition=Q(left_at__isnull=False)),
            models.Index(
                fields=["bucket_id", "leave_due_at"],
                name="membership_ends_soonest",
                condition=Q(status="active", leave_due_at__isnull=False),
            ),
            models.Index(
                fields=["bucket_id", "max_dwell_at"],
                name="membership_ends_latest",
                condition=Q(status="active", max_dwell_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bucket_id} ({self.status})"


class WindowEdge(models.Model):
    """How far time has been followed for one window of a bucket: what happened before has fallen out and was judged."""

    bucket_id = models.TextField()
    event_name = models.TextField()
    window = models.DurationField()
    edge_at = models.DateTimeField(help_text="What fell out of the window before this moment was judged.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bucket_id", "event_name", "window"], name="window_edge")
        ]

    def __str__(self) -> str:
        return f"{self.bucket_id}: {self.event_name} in {self.window}"


class DwellDue(models.Model):
    """When a stay will have lasted so long that journeys are told of it."""

    membership = models.ForeignKey(
        BucketMembership, on_delete=models.CASCADE, related_name="dwells", db_index=False, db_constraint=False
    )
    bucket_id = models.TextField()
    label = models.TextField(help_text="Which of the bucket's dwell reactions: after-<ms> or every-<ms>.")
    due_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["membership", "label"], name="dwell_once")]
        indexes: ClassVar = [models.Index(fields=["bucket_id", "label", "due_at"], name="dwell_due")]

    def __str__(self) -> str:
        return f"{self.label} at {self.due_at}"


class BucketConfig(models.Model):
    """What is known of a declared bucket beside its members: what staff switched, and what the members follow."""

    bucket_id = models.TextField(primary_key=True)
    enabled = models.BooleanField(default=True, help_text="Staff can switch off what the code switches on.")
    criteria_hash = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="Of the criteria that everybody was last judged by; empty: none.",
    )
    is_stale = models.BooleanField(
        default=False, help_text="The bucket was off, so everybody must be judged before the clock goes on."
    )
    policy = models.JSONField(default=dict, blank=True, help_text="The times that its members' due rows follow.")
    followed_at = models.DateTimeField(null=True, blank=True, help_text="The clock was last followed until then.")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.bucket_id


class BackfillMode(models.TextChoices):
    """Why everybody is judged."""

    FIRST = "first", "the bucket is new"
    CHANGED = "changed", "its criteria changed"
    AGAIN = "again", "it was off, or somebody asked"


class BackfillStatus(models.TextChoices):
    """Where a backfill stands (docs/states.md). All but running are final."""

    RUNNING = "running", "running"
    DONE = "done", "done"
    SUPERSEDED = "superseded", "the criteria changed again"
    CANCELLED = "cancelled", "cancelled"


class Backfill(models.Model):
    """Everybody is judged by a bucket, slice by slice in the order of ids; the row's lock is whoever works on it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    bucket_id = models.TextField()
    mode = models.CharField(max_length=7, choices=BackfillMode)
    criteria_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=BackfillStatus, default=BackfillStatus.RUNNING)
    total = models.BigIntegerField(help_text="About how many people there are.")
    processed = models.BigIntegerField(default=0)
    joined = models.BigIntegerField(default=0)
    left = models.BigIntegerField(default=0)
    reached = models.UUIDField(null=True, blank=True, help_text="The last contact that was judged.")
    error = models.TextField(blank=True, default="", help_text="Why the last slice failed; it is tried again.")
    created_at = models.DateTimeField()
    progressed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bucket_id"], name="backfill_running", condition=Q(status="running"))
        ]
        indexes: ClassVar = [models.Index(fields=["bucket_id", "-created_at"], name="backfill_latest")]

    def __str__(self) -> str:
        return f"{self.bucket_id} ({self.status})"


class Verification(models.Model):
    """Everybody was judged anew and compared with who is in: how many were not where they belong."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    bucket_id = models.TextField()
    people = models.BigIntegerField(help_text="How many were judged.")
    missing = models.BigIntegerField(help_text="Belonged into the bucket and were out.")
    surplus = models.BigIntegerField(help_text="Were in and did not belong.")
    repaired = models.BigIntegerField(help_text="Moved to where they belong; they are told of like any other move.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["bucket_id", "-started_at"], name="verification_latest")]

    def __str__(self) -> str:
        return f"{self.bucket_id}: {self.missing + self.surplus} astray"


class BucketDay(models.Model):
    """What a day (UTC) did to a bucket; the running day is counted again while it lasts."""

    bucket_id = models.TextField()
    day = models.DateField()
    entered = models.BigIntegerField(default=0)
    left = models.BigIntegerField(default=0)
    stayed_seconds = models.BigIntegerField(default=0, help_text="How long those who left had been in, together.")
    size = models.BigIntegerField(default=0, help_text="How many were in when it was counted.")
    counted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["bucket_id", "day"], name="bucket_day")]

    def __str__(self) -> str:
        return f"{self.bucket_id} on {self.day}"


class MirrorDue(models.Model):
    """Somebody's property in PostHog may not say what membership says; it is set, and the row goes."""

    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    bucket_id = models.TextField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["contact", "bucket_id"], name="mirror_once")]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="mirror_due")]

    def __str__(self) -> str:
        return f"{self.bucket_id} at {self.due_at}"
