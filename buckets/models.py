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
    source = models.CharField(max_length=9, choices=Source)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    leave_reason = models.CharField(max_length=8, choices=LeaveReason, blank=True, default="")
    leave_due_at = models.DateTimeField(
        null=True, blank=True, help_text="The criteria are false since, and the shortest stay ends then."
    )
    max_dwell_at = models.DateTimeField(null=True, blank=True, help_text="The longest stay ends then.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bucket_id", "contact"], name="membership_active", condition=Q(status="active")
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact", "bucket_id"], name="membership_of_contact"),
            models.Index(fields=["bucket_id", "-entered_at"], name="membership_latest"),
            models.Index(
                fields=["leave_due_at"],
                name="membership_leave_due",
                condition=Q(status="active", leave_due_at__isnull=False),
            ),
            models.Index(
                fields=["max_dwell_at"],
                name="membership_max_dwell",
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
