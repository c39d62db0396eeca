"""What people did, and which requests were already answered."""

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
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.scope}:{self.key}"
