"""People, every key they were ever known by, and the journal of how they became one."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from hogsend.lib.ids import new_id


class KeyKind(models.TextChoices):
    """The three kinds of key under which a person may come."""

    EXTERNAL = "external", "user id"
    EMAIL = "email", "e-mail address"
    ANONYMOUS = "anonymous", "anonymous id"


class Contact(models.Model):
    """A person."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    external_id = models.TextField(null=True, blank=True, help_text="The id that your product gives this person.")
    email = models.TextField(null=True, blank=True, help_text="Trimmed and lower-cased; where mail goes.")
    anonymous_id = models.TextField(null=True, blank=True)
    timezone = models.TextField(null=True, blank=True, help_text="IANA name.")
    timezone_source = models.TextField(null=True, blank=True, help_text="Who said so; a person's own word wins.")
    properties = models.JSONField(default=dict, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="absorbed",
        help_text="The survivor, when this person turned out to be another.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["external_id"],
                name="contact_external_id",
                condition=Q(external_id__isnull=False, deleted_at=None),
            ),
            models.UniqueConstraint(
                Lower("email"), name="contact_email", condition=Q(email__isnull=False, deleted_at=None)
            ),
            models.UniqueConstraint(
                fields=["anonymous_id"],
                name="contact_anonymous_id",
                condition=Q(anonymous_id__isnull=False, deleted_at=None),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-last_seen_at"], name="contact_last_seen")]
        permissions: ClassVar = [
            ("erase_contact", "Can erase contacts for ever"),
            ("export_contact", "Can download all that is known of a contact"),
        ]

    def __str__(self) -> str:
        return self.email or self.external_id or self.anonymous_id or str(self.id)

    @property
    def key(self) -> str:
        """The text by which the wire names this person: user id, else anonymous id, else our own id."""
        return self.external_id or self.anonymous_id or str(self.id)


class ContactKey(models.Model):
    """A key that was ever issued. It resolves for ever, after a merge to the survivor."""

    kind = models.CharField(max_length=9, choices=KeyKind)
    value = models.TextField()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="keys")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "value"], name="contact_key")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class ContactMerge(models.Model):
    """The journal of one merge, complete enough to undo it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    survivor = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges")
    absorbed = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges_away")
    before = models.JSONField(default=dict, help_text="Both people as they were, and the rows that moved.")
    actor = models.TextField(help_text="The event or the member of staff that caused it.")
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.absorbed_id} into {self.survivor_id}"


class KeyConflict(models.Model):
    """Keys that came together but belong to different people, and were not merged."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conflicts", help_text="Got the event.")
    other = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conflicts_lost")
    kind = models.CharField(max_length=9, choices=KeyKind)
    value = models.TextField(help_text="The key that belongs to the other person.")
    seen_count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contact", "other", "kind", "value"], name="key_conflict")
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"
