"""API keys."""

from typing import ClassVar

from django.db import models

from hogsend.lib.ids import new_id


class Scope(models.TextChoices):
    """What a key may do. read < journey-admin < full-admin is a ladder; ingest stands beside it (spec 1 §2)."""

    READ = "read", "read"
    JOURNEY_ADMIN = "journey-admin", "journey-admin"
    FULL_ADMIN = "full-admin", "full-admin"
    INGEST = "ingest", "ingest"


class ApiKey(models.Model):
    """A bearer key. Only the SHA-256 of it is stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, help_text="The first eight characters, to tell keys apart.")
    key_hash = models.CharField(max_length=64, unique=True, help_text="Lower-case hex SHA-256 of the whole key.")
    scopes = models.JSONField(default=list)
    tenant = models.CharField(max_length=100, default="main", help_text="Idempotency keys are scoped to it.")
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
