import json
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

from events.models import DeadLetter, DeadLetterStatus, Event, WebhookSkip
from events.sources.actions import DeadLetterNotFoundError, DeadLetterStateError, discard_dead_letter, retry_dead_letter
from hogsend.admin_site import LookAdmin, ValuesInUse, column
from hogsend.clock import database_now
from hogsend.pages import badge, link, pretty

TONES = {
    DeadLetterStatus.OPEN: ("danger", "bad"),
    DeadLetterStatus.RETRIED: ("success", "good"),
    DeadLetterStatus.DISCARDED: ("", "plain"),
}


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


class SourceFilter(ValuesInUse):
    title = "source"
    parameter_name = "source_id"


@admin.register(DeadLetter)
class DeadLetterAdmin(LookAdmin):
    """Webhook deliveries that could not become events, to be retried or discarded."""

    list_display = ("source_id", "state", "error", "attempts", "received_at", "resolved_at")
    list_filter = ("status", SourceFilter)
    page_template = "admin/events/dead_letter.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        """Leave what is large to the page of one."""
        rows: QuerySet[DeadLetter] = super().get_queryset(request)
        is_list = request.resolver_match is not None and "object_id" not in request.resolver_match.kwargs
        return rows.defer("payload", "headers", "trace") if is_list else rows

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the addresses of the buttons."""
        return (
            ("<uuid:letter_id>/retry/", "events_deadletter_retry", self.retry),
            ("<uuid:letter_id>/discard/", "events_deadletter_discard", self.discard),
        )

    def retry(self, request: HttpRequest, *, letter_id: UUID, **_url: Any) -> HttpResponse:
        """Send it the same way again."""

        def act() -> tuple[bool, str]:
            retried = retry_dead_letter(letter_id=letter_id, now=database_now())
            return retried.settled, retried.sentence

        return self._press(request, letter_id, act)

    def discard(self, request: HttpRequest, *, letter_id: UUID, **_url: Any) -> HttpResponse:
        """Give it up."""

        def act() -> tuple[bool, str]:
            discard_dead_letter(letter_id=letter_id, now=database_now())
            return True, "The dead letter is discarded."

        return self._press(request, letter_id, act)

    def _press(self, request: HttpRequest, letter_id: UUID, act: Callable[[], tuple[bool, str]]) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("events.change_deadletter"):
            raise PermissionDenied
        try:
            done, sentence = act()
        except DeadLetterNotFoundError as error:
            raise Http404("There is no such dead letter.") from error
        except DeadLetterStateError as error:
            messages.warning(request, str(error))
        else:
            self.log_change(request, DeadLetter.objects.get(id=letter_id), sentence)
            (messages.success if done else messages.error)(request, sentence)
        return HttpResponseRedirect(reverse("admin:events_deadletter_change", args=[letter_id]))

    @column("Status", labels={status.label: label for status, (label, _) in TONES.items()})
    def state(self, letter: DeadLetter) -> str:
        """Whether somebody has to look at it."""
        return letter.get_status_display()

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Where it came from, and why it lies here."""
        return [
            ("Source", obj.source_id),
            ("Status", badge(obj.get_status_display(), TONES[DeadLetterStatus(obj.status)][1])),
            ("Error", obj.error),
            ("Tries so far", obj.attempts),
            ("Received at", obj.received_at),
            ("Settled at", obj.resolved_at),
            ("Id", obj.id),
            ("Headers", obj.headers),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """The payload in a form that people can read, and the buttons."""
        return {
            "payload": readable(obj.payload),
            "is_open": obj.status == DeadLetterStatus.OPEN,
            "may_act": request.user.has_perm("events.change_deadletter"),
        }


def readable(payload: str) -> str:
    """Return a payload line by line; what cannot be decoded stays as it came."""
    try:
        return pretty(json.loads(payload))
    except (ValueError, RecursionError):
        return payload


@admin.register(WebhookSkip)
class WebhookSkipAdmin(LookAdmin):
    """How much of what webhooks bring is left out on purpose, and why."""

    list_display = ("source_id", "reason", "count", "first_at", "last_at")
    list_filter: ClassVar[tuple[Any, ...]] = (SourceFilter,)
    ordering = ("source_id", "reason")
