from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote

from hogsend.admin_site import LookAdmin, ValuesInUse, column
from hogsend.pages import link
from journeys.admin.words import REASONS
from journeys.models import EnrolmentSkip


class JourneyFilter(ValuesInUse):
    """The journeys of which there are rows."""

    title = "journey"
    parameter_name = "journey_id"


@admin.register(EnrolmentSkip)
class EnrolmentSkipAdmin(LookAdmin):
    """Events that could have started a journey and did not."""

    list_display = ("person", "journey_id", "why", "event", "created_at")
    list_display_links = ("journey_id",)
    list_filter: ClassVar[tuple[Any, ...]] = (JourneyFilter,)
    list_select_related = ("contact",)

    @column("Contact")
    def person(self, skip: EnrolmentSkip) -> str:
        """Link to who did not enter."""
        return link("contacts_contact", skip.contact_id, skip.contact)

    @column("Reason")
    def why(self, skip: EnrolmentSkip) -> str:
        """Why they did not."""
        return REASONS.get(skip.reason, skip.reason)

    @column("Event")
    def event(self, skip: EnrolmentSkip) -> str:
        """Link to the event."""
        return link("events_event", skip.event_id, "event")

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Who did not enter which journey, and why."""
        return [
            ("Contact", self.person(obj)),
            ("Journey", link("journeys_journeyoverride", quote(obj.journey_id), obj.journey_id)),
            ("Reason", self.why(obj)),
            ("Event", self.event(obj)),
            ("At", obj.created_at),
        ]
