"""Journey runs, their journals, and what will wake them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from hogsend.lib.ids import new_id


class RunStatus(models.TextChoices):
    """Where a run stands (docs/states.md). Active and waiting are live; the others are final."""

    ACTIVE = "active", "active"
    WAITING = "waiting", "waiting"
    COMPLETED = "completed", "completed"
    FAILED = "failed", "failed"
    EXITED = "exited", "exited"


LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)


class JourneyRun(models.Model):
    """One person's way through one journey."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="runs", db_index=False)
    journey_id = models.TextField()
    status = models.CharField(max_length=9, choices=RunStatus, default=RunStatus.ACTIVE)
    node = models.TextField(default="start", help_text="The last wait or checkpoint that was reached.")
    trigger_event = models.ForeignKey(
        "events.Event", null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    context = models.JSONField(default=dict, blank=True, help_text="The scalar properties of the trigger event.")
    entry_number = models.PositiveIntegerField(default=1, help_text="How often this person has entered this journey.")
    code_hash = models.CharField(max_length=64, help_text="Of the journey's code when the run began.")
    version = models.PositiveIntegerField(default=1, db_default=1, help_text="Of the journey when the run began.")
    lease_token = models.BigIntegerField(default=0, help_text="Grows with each claim; a stale one can write nothing.")
    lease_owner = models.TextField(blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    crash_count = models.PositiveSmallIntegerField(default=0, help_text="Slices in a row that died without progress.")
    error = models.TextField(blank=True, default="")
    exit_reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    progressed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["contact", "journey_id"], name="run_live", condition=Q(status__in=["active", "waiting"])
            ),
            models.UniqueConstraint(
                fields=["journey_id", "trigger_event"], name="run_of_event", condition=Q(trigger_event__isnull=False)
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact", "journey_id", "created_at"], name="run_history"),
            models.Index(fields=["journey_id", "status"], name="run_by_journey"),
            models.Index(fields=["progressed_at"], name="run_live_age", condition=Q(status__in=["active", "waiting"])),
        ]

    def __str__(self) -> str:
        return f"{self.journey_id} ({self.status})"


class StepStatus(models.TextChoices):
    PENDING = "pending", "waiting"
    DONE = "done", "done"


class JourneyStep(models.Model):
    """One recorded step of a run: replaying the journey returns ``result`` instead of doing it again."""

    run = models.ForeignKey(JourneyRun, on_delete=models.CASCADE, related_name="steps", db_index=False)
    seq = models.PositiveIntegerField(help_text="Order within the run.")
    key = models.TextField(help_text="kind:site:discriminant; names the step, not its position.")
    kind = models.TextField()
    arguments_hash = models.CharField(max_length=16, blank=True, default="")
    status = models.CharField(max_length=7, choices=StepStatus, default=StepStatus.DONE)
    result = models.JSONField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["seq"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "key"], name="step_key")]

    def __str__(self) -> str:
        return self.key


class WakeReason(models.TextChoices):
    START = "start", "start"
    TIMER = "timer", "timer"
    EVENT = "event", "event"
    RETRY = "retry", "retry"


class Wakeup(models.Model):
    """A run that shall be advanced at ``due_at``. The row goes with the run's own commit."""

    run = models.ForeignKey(JourneyRun, on_delete=models.CASCADE, related_name="wakeups", db_index=False)
    step_key = models.TextField(default="")
    reason = models.CharField(max_length=7, choices=WakeReason)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "step_key", "reason"], name="wakeup_once")]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="wakeup_due")]

    def __str__(self) -> str:
        return f"{self.reason} at {self.due_at}"


class EventWaiter(models.Model):
    """A run that waits for an event, for those who record events. The row goes with the wait, or with the run's end."""

    run = models.ForeignKey(JourneyRun, on_delete=models.CASCADE, related_name="waiters", db_index=False)
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    step_key = models.TextField()
    event_name = models.TextField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "step_key"], name="waiter_once")]
        indexes: ClassVar = [models.Index(fields=["contact", "event_name"], name="waiter_of_contact")]

    def __str__(self) -> str:
        return self.event_name


class Capture(models.Model):
    """An analytics event of a run on its way to PostHog; the row goes when PostHog has taken it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False, help_text="PostHog drops a second of it.")
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    distinct_id = models.TextField()
    name = models.TextField()
    properties = models.JSONField(default=dict, blank=True)
    occurred_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at"], name="capture_due")]

    def __str__(self) -> str:
        return self.name


class EnrolmentSkip(models.Model):
    """An event that could have started a journey and did not, and why."""

    id = models.BigAutoField(primary_key=True)
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="enrolment_skips")
    journey_id = models.TextField()
    event_id = models.UUIDField()
    reason = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["journey_id", "reason", "created_at"], name="skip_by_journey")]

    def __str__(self) -> str:
        return f"{self.journey_id}: {self.reason}"


class JourneyOverride(models.Model):
    """Staff switched a journey off, or made its runs stand still. It can only disable what the code enables."""

    journey_id = models.TextField(primary_key=True)
    enabled = models.BooleanField(default=True, help_text="Off: nobody enters; runs that have begun go on.")
    paused = models.BooleanField(
        default=False, db_default=False, help_text="Runs that have begun stand still where they are."
    )
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.journey_id}: {'on' if self.enabled else 'off'}"
