"""Opens and clicks as they came in, each with what speaks for a human or a machine."""

from typing import ClassVar

from django.db import models

from hogsend.lib.ids import new_id


class HitKind(models.TextChoices):
    OPEN = "open", "open"
    CLICK = "click", "click"


class Visitor(models.TextChoices):
    """Who made the hit."""

    HUMAN = "human", "human"
    MACHINE = "machine", "machine"
    UNKNOWN = "unknown", "cannot be told"


class Hit(models.Model):
    """One request for a pixel or a tracked link. Rows are kept as they came."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    send = models.ForeignKey("emails.EmailSend", on_delete=models.CASCADE, related_name="hits")
    link = models.ForeignKey("emails.TrackedLink", null=True, blank=True, on_delete=models.CASCADE, related_name="hits")
    kind = models.CharField(max_length=5, choices=HitKind)
    visitor = models.CharField(max_length=7, choices=Visitor)
    evidence = models.JSONField(default=dict, help_text="What the verdict rests on.")
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} by a {self.visitor}"
