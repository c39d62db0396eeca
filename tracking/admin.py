from typing import Any

from django.contrib import admin

from hogsend.admin_site import LookAdmin, column
from hogsend.pages import link
from tracking.models import Hit


@admin.register(Hit)
class HitAdmin(LookAdmin):
    """Opens and clicks, each with the verdict on who made it."""

    list_display = ("kind", "verdict", "mail", "link", "created_at", "ip")
    list_filter = ("kind", "visitor")
    list_select_related = ("send", "link")

    @column("Visitor", labels={"human": "success", "machine": "danger", "cannot be told": "warning"})
    def verdict(self, hit: Hit) -> str:
        """Who made it."""
        return hit.get_visitor_display()

    @column("Mail")
    def mail(self, hit: Hit) -> str:
        """Link to the mail."""
        return link("emails_emailsend", hit.send_id, hit.send)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """The hit and what its verdict rests on."""
        return [
            ("Mail", self.mail(obj)),
            ("Kind", obj.get_kind_display()),
            ("Visitor", obj.get_visitor_display()),
            ("Link", obj.link.url if obj.link else None),
            ("At", obj.created_at),
            ("Address", obj.ip),
            ("User agent", obj.user_agent),
            ("Evidence", obj.evidence),
        ]
