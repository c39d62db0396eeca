"""What people did, which requests were already answered, and what webhooks brought that became no event."""

from typing import ClassVar

from django.db import models

from hogsend.lib.ids import new_id


class Event(models.Model):
    """Something a person did, at the time it happened. Rows are never changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    seq = models.BigIntegerField(
        db_default=models.expressions.RawSQL("nextval('events_event_seq')", ()),
        editable=False,
        help_text="Order of arrival; within one person it is the order of commit.",
    )
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="events", db_index=False)
    name = models.TextField()
    properties = models.JSONField(default=dict, blank=True)
    hop = models.PositiveSmallIntegerField(default=0, help_text="0 from outside; each event caused by one is one more.")
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["contact", "name", "occurred_at"], name="event_of_contact"),
            models.Index(fields=["name", "occurred_at"], include=["contact"], name="event_by_name"),
        ]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """A request that was already answered, so that its repetition changes nothing."""

    scope = models.TextField(help_text="Tenant and endpoint: two tenants may use the same key.")
    key = models.TextField()
    fingerprint = models.BinaryField(
        max_length=16, help_text="Of the request; the same key with another body is refused."
    )
    answer = models.UUIDField(help_text="Id of the row that the first request made.")
    outcome = models.JSONField(null=True, help_text="What else the first was told, for those who repeat it.")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.scope}:{self.key}"


class DeadLetterStatus(models.TextChoices):
    OPEN = "open"
    RETRIED = "retried"
    DISCARDED = "discarded"


class DeadLetter(models.Model):
    """A proven webhook delivery that could not become events, kept as it came until somebody retries or discards it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source_id = models.TextField(help_text="Id of the webhook source in the code.")
    payload = models.TextField(help_text="The body as it was received.")
    headers = models.JSONField(default=dict, blank=True, help_text="Without secrets and signatures.")
    error = models.TextField(help_text="Why the last try failed, as one sentence.")
    trace = models.TextField(blank=True, default="")
    status = models.TextField(choices=DeadLetterStatus.choices, default=DeadLetterStatus.OPEN)
    attempts = models.PositiveIntegerField(default=1, help_text="Tries so far, the delivery itself included.")
    received_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source_id"], name="dead_letter_source"),
            models.Index(fields=["id"], name="dead_letter_open", condition=models.Q(status="open")),
            models.Index(
                fields=["resolved_at"], name="dead_letter_resolved", condition=models.Q(resolved_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.error}"


class WebhookSkipReason(models.TextChoices):
    NOT_WANTED = "not_wanted", "the source does not take it"
    NO_IDENTITY = "no_identity", "it names nobody"


class WebhookSkip(models.Model):
    """How many deliveries of a source, or events in them, were left out on purpose, and why."""

    source_id = models.TextField()
    reason = models.TextField(choices=WebhookSkipReason.choices)
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source_id", "reason"], name="webhook_skip")]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.get_reason_display()}"
