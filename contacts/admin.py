from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from contacts.models import ContactMerge, KeyConflict
from hogsend.admin_site import LookAdmin, column
from hogsend.pages import link


@admin.register(KeyConflict)
class KeyConflictAdmin(LookAdmin):
    """Keys that came together but belong to two people."""

    list_display = ("value", "kind", "got_the_event", "owner", "seen_count", "last_seen_at", "resolved_at")
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("contact", "other")

    @column("Contact with the event")
    def got_the_event(self, conflict: KeyConflict) -> str:
        """Link to who got the event."""
        return link("contacts_contact", conflict.contact_id, conflict.contact)

    @column("Owner of the key")
    def owner(self, conflict: KeyConflict) -> str:
        """Link to whom the key belongs."""
        return link("contacts_contact", conflict.other_id, conflict.other)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """What came together, and how often."""
        people = [("Contact with the event", self.got_the_event(obj)), ("Owner of the key", self.owner(obj))]
        return [*people, *super().facts(obj)]


@admin.register(ContactMerge)
class ContactMergeAdmin(LookAdmin):
    """The journal of merges."""

    list_display = ("survivor", "absorbed", "actor", "created_at", "undone_at")
    list_filter = (("undone_at", admin.EmptyFieldListFilter),)
    list_select_related = ("survivor", "absorbed")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the bulky journal to the page of one merge."""
        rows = super().get_queryset(request).select_related("survivor", "absorbed")
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("before")

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Who became whom."""
        return [
            ("Survivor", link("contacts_contact", obj.survivor_id, obj.survivor)),
            ("Absorbed", link("contacts_contact", obj.absorbed_id, obj.absorbed)),
            *super().facts(obj),
        ]
