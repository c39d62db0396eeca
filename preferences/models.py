"""What people allow, which addresses must not be mailed, and the history of both."""

from typing import ClassVar

from django.db import models

from hogsend.lib.ids import new_id


class Preference(models.Model):
    """A person's choices. No row means: nothing chosen yet."""

    contact = models.OneToOneField(
        "contacts.Contact", primary_key=True, on_delete=models.CASCADE, related_name="preference"
    )
    unsubscribed_all = models.BooleanField(default=False)
    categories = models.JSONField(
        default=dict, blank=True, help_text="List or category id to true (in) or false (out)."
    )
    paused_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"preferences of {self.contact_id}"


class Suppression(models.Model):
    """An address that bounced or complained. It blocks whoever owns the address."""

    class Reason(models.TextChoices):
        BOUNCE = "bounce", "hard bounce"
        COMPLAINT = "complaint", "complaint"
        MANUAL = "manual", "by staff"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.TextField(unique=True, help_text="Trimmed and lower-cased.")
    reason = models.CharField(max_length=9, choices=Reason, null=True, blank=True)
    bounce_count = models.PositiveIntegerField(default=0)
    suppressed_at = models.DateTimeField(null=True, blank=True, help_text="Empty while only soft bounces are counted.")
    last_bounce_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.email


class Tombstone(models.Model):
    """What somebody who was deleted or erased had refused, so that it stays refused when their address comes back.

    The address itself is not kept: only a hash of it with a random salt, which never changes.
    """

    address_hash = models.BinaryField(unique=True, max_length=32)
    unsubscribed_all = models.BooleanField(default=False)
    categories = models.JSONField(default=dict, blank=True, help_text="Those that were left, each false.")
    suppressed = models.BooleanField(default=False, help_text="The address had bounced or complained.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @property
    def prefix(self) -> str:
        """The beginning of the hash, to tell tombstones apart."""
        return bytes(self.address_hash).hex()[:12]


class ConsentChange(models.Model):
    """One change of consent: what, when, and by which door. Rows are never changed."""

    class Door(models.TextChoices):
        ONE_CLICK = "one-click", "one-click unsubscribe"
        PAGE = "page", "preference page"
        API = "api", "API"
        ADMIN = "admin", "staff"
        IMPORT = "import", "import"
        PROVIDER = "provider", "mail provider"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="consent_changes")
    category = models.TextField(null=True, blank=True, help_text="Empty means all mail.")
    subscribed = models.BooleanField()
    door = models.CharField(max_length=9, choices=Door)
    send_id = models.UUIDField(null=True, blank=True, help_text="The mail whose link was used.")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.category or 'all mail'}: {'in' if self.subscribed else 'out'}"
