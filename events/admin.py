from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from events.models import Event
from hogsend.admin_site import LookAdmin, ValuesInUse, column
from hogsend.pages import link


class NameFilter(ValuesInUse):
    title = "name"
    parameter_name = "name"


@admin.register(Event)
class EventAdmin(LookAdmin):
    """What people did, newest first."""

    list_display = ("name", "person", "occurred_at", "received_at", "caused")
    list_filter = (NameFilter,)
    list_select_related = ("contact",)
    search_fields = ("name",)
    search_help_text = "Exact event name"

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Find by the exact name: anything looser would read the whole table."""
        return (queryset.filter(name=search_term.strip()) if search_term.strip() else queryset), False

    @column("Contact")
    def person(self, event: Event) -> str:
        """Link to who did it."""
        return link("contacts_contact", event.contact_id, event.contact)

    @column("Came from", labels={"outside": "info", "engine": "success"})
    def caused(self, event: Event) -> str:
        """Whether it came over the API or the engine caused it."""
        return "engine" if event.hop else "outside"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """The event, with its properties last."""
        return [
            ("Name", obj.name),
            ("Contact", self.person(obj)),
            ("Occurred at", obj.occurred_at),
            ("Received at", obj.received_at),
            ("Came from", "outside" if obj.hop == 0 else f"the engine, {obj.hop} steps after an event from outside"),
            ("Id", obj.id),
            ("Properties", obj.properties),
        ]
