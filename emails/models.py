"""The send ledger: one row for every mail that was, or was deliberately not, sent."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from hogsend.lib.ids import new_id


class SendStatus(models.TextChoices):
    """Where a send stands (docs/states.md)."""

    QUEUED = "queued", "queued"
    SENDING = "sending", "being handed over"
    SENT = "sent", "accepted by the provider"
    DELIVERED = "delivered", "delivered"
    BOUNCED = "bounced", "bounced"
    COMPLAINED = "complained", "complained"
    SKIPPED = "skipped", "deliberately not sent"
    FAILED = "failed", "refused by the provider"
    UNKNOWN = "unknown", "handed over, answer lost"


class Reason(models.TextChoices):
    """Why a send was skipped or failed. One word each; decided in this order."""

    NO_ADDRESS = "no_address", "the person has no address"
    SUPPRESSED = "suppressed", "the address is suppressed"
    UNSUBSCRIBED = "unsubscribed", "unsubscribed from all mail"
    CATEGORY = "category_opted_out", "not subscribed to this category"
    PAUSED = "paused", "the person paused all mail"
    DELETED = "contact_deleted", "the person was deleted"
    GAP = "suppress_gap", "too soon after the journey's last mail"
    REFUSED = "refused", "the provider refused the message"
    GAVE_UP = "gave_up", "not handed over after many tries"


class Origin(models.TextChoices):
    """Who asked for the send."""

    JOURNEY = "journey", "journey"
    API = "api", "API"
    CAMPAIGN = "campaign", "campaign"
    TEST = "test", "test"


class EmailSend(models.Model):
    """One message to one person: decided, rendered once and recorded together; delivered from this row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="sends")
    idempotency_key = models.TextField(unique=True, null=True, blank=True)
    origin = models.CharField(max_length=8, choices=Origin)
    origin_id = models.TextField(blank=True, default="", help_text="Journey id, campaign id or API key name.")
    run_id = models.UUIDField(null=True, blank=True, help_text="The journey run that asked for it.")
    email_id = models.TextField(help_text="Which e-mail definition.")
    category = models.TextField()
    status = models.CharField(max_length=10, choices=SendStatus, default=SendStatus.QUEUED)
    reason = models.CharField(max_length=20, choices=Reason, blank=True, default="")
    error = models.TextField(blank=True, default="", help_text="What the provider or the network said last.")
    from_email = models.TextField()
    to_email = models.TextField(blank=True, default="")
    reply_to = models.JSONField(default=list, blank=True)
    subject = models.TextField(blank=True, default="")
    html = models.TextField(blank=True, default="")
    text = models.TextField(blank=True, default="")
    headers = models.JSONField(default=dict, blank=True)
    skip_preferences = models.BooleanField(default=False, help_text="Consent was waived by a full-admin key.")
    send_after = models.DateTimeField(help_text="Not before; moved on by a failed try.")
    attempts = models.PositiveSmallIntegerField(default=0)
    claim_token = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    provider_started_at = models.DateTimeField(
        null=True, blank=True, help_text="Committed before the provider is called."
    )
    provider_message_id = models.TextField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    bounce_type = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["send_after"], name="send_due", condition=Q(status="queued")),
            models.Index(fields=["claimed_until"], name="send_claimed", condition=Q(status="sending")),
            models.Index(
                fields=["provider_message_id"], name="send_message", condition=Q(provider_message_id__isnull=False)
            ),
            models.Index(fields=["run_id"], name="send_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["to_email", "created_at"], name="send_to"),
            models.Index(fields=["email_id", "created_at"], name="send_email"),
        ]

    def __str__(self) -> str:
        return f"{self.email_id} to {self.to_email}"


class TrackedLink(models.Model):
    """A link of one mail. The redirect can only lead to what stands here."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    send = models.ForeignKey(EmailSend, on_delete=models.CASCADE, related_name="links")
    url = models.TextField()
    click_count = models.PositiveIntegerField(default=0, help_text="Every hit, also a machine's.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.url
