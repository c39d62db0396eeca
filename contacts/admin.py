from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from contacts.actions import MergeError, rows_moved, undo_merge
from contacts.actions.conflicts import resolve_conflict
from contacts.models import ContactMerge, KeyConflict, KeyKind
from hogsend.admin_site import LookAdmin, column
from hogsend.api.errors import ApiError
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.pages import badge, link

MAY_CHANGE = ("contacts.view_contact", "contacts.change_contact")
NAMES = {
    "external_id": "User id",
    "email": "E-mail",
    "anonymous_id": "Anonymous id",
    "timezone": "Time zone",
    "properties": "Properties",
    "first_seen_at": "First seen",
    "last_seen_at": "Last seen",
}


@admin.register(KeyConflict)
class KeyConflictAdmin(LookAdmin):
    """Keys that came together but belong to two people, to be merged or kept apart by staff."""

    list_display = ("value", "kind", "got_the_event", "owner", "seen_count", "last_seen_at", "resolved_at")
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("contact", "other")
    page_template = "admin/contacts/conflict.html"

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the address of the button."""
        return (("<uuid:conflict_id>/resolve/", "contacts_keyconflict_resolve", self.resolve),)

    def resolve(self, request: HttpRequest, *, conflict_id: UUID, **_url: Any) -> HttpResponse:
        """Keep the two apart."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        conflict = _row(request, KeyConflict, conflict_id)
        if resolve_conflict(conflict_id=conflict_id, now=database_now()):
            self.log_change(request, conflict, "Kept apart.")
            messages.success(request, "The two stay two people; the conflict is resolved.")
        else:
            messages.warning(request, "The conflict had been resolved before.")
        return HttpResponseRedirect(reverse("admin:contacts_keyconflict_change", args=[conflict_id]))

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
        return [
            ("State", badge("resolved", "good") if obj.resolved_at else badge("open", "warn")),
            ("Key", f"{obj.get_kind_display()} {obj.value}"),
            ("Owner of the key", self.owner(obj)),
            ("Contact with the event", self.got_the_event(obj)),
            ("Came together", f"{obj.seen_count} times" if obj.seen_count > 1 else "once"),
            ("First seen", obj.first_seen_at),
            ("Last seen", obj.last_seen_at),
            ("Resolved at", obj.resolved_at),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Offer the buttons while the conflict is open."""
        both_live = obj.contact.deleted_at is None and obj.other.deleted_at is None
        is_open = obj.resolved_at is None
        return {"is_open": is_open, "both_live": both_live, "may_act": request.user.has_perms(MAY_CHANGE)}


@admin.register(ContactMerge)
class ContactMergeAdmin(LookAdmin):
    """The journal of merges, from which each can be taken back."""

    list_display = ("survivor", "absorbed", "actor", "created_at", "undone_at")
    list_filter = (("undone_at", admin.EmptyFieldListFilter),)
    list_select_related = ("survivor", "absorbed")
    page_template = "admin/contacts/merge.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the bulky journal to the page of one merge."""
        rows = super().get_queryset(request).select_related("survivor", "absorbed")
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("before")

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the address of the page that takes a merge back."""
        return (("<uuid:merge_id>/undo/", "contacts_contactmerge_undo", self.undo),)

    def undo(self, request: HttpRequest, *, merge_id: UUID, **_url: Any) -> HttpResponse:
        """Ask once more, then make two of one again."""
        merge = _row(request, ContactMerge, merge_id)
        if request.method == "GET" and merge.undone_at is None:
            context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Take this merge back?"}
            return TemplateResponse(request, "admin/contacts/undo.html", {**context, "original": merge})
        actor = f"staff: {request.user}"
        if _pressed(request, lambda: undo_merge(merge_id=merge_id, actor=actor, now=database_now())):
            self.log_change(request, merge, "Taken back.")
            messages.success(request, "The merge is taken back; an event does not make the two one again.")
        return HttpResponseRedirect(reverse("admin:contacts_contactmerge_change", args=[merge_id]))

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Who became whom, when, and by whose hand."""
        return [
            ("Survivor", link("contacts_contact", obj.survivor_id, obj.survivor)),
            ("Absorbed", link("contacts_contact", obj.absorbed_id, obj.absorbed)),
            ("State", badge("taken back", "warn") if obj.undone_at else badge("merged", "good")),
            ("By", obj.actor),
            ("At", obj.created_at),
            ("Taken back at", obj.undone_at),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Both before, the survivor after, and what moved."""
        before = {side: obj.before.get(side, {}) for side in ("survivor", "absorbed", "after")}
        lines = [(label, *(_told(name, before[side].get(name)) for side in before)) for name, label in NAMES.items()]
        return {
            "lines": [line for line in lines if any(line[1:])],
            "keys": [(KeyKind(kind).label, value) for kind, value in obj.before.get("keys", [])],
            "moved": list(rows_moved(obj.before.get("moved", {})).items()),
            "may_undo": obj.undone_at is None and request.user.has_perms(MAY_CHANGE),
        }


def _told(name: str, value: Any) -> Any:
    """Give a time of the journal back as one; it is text there."""
    return parse_datetime(value) if name in {"first_seen_at", "last_seen_at"} and value else value


def _row(request: HttpRequest, model: Any, row_id: UUID) -> Any:
    if not request.user.has_perms(MAY_CHANGE):
        raise PermissionDenied
    return get_object_or_404(model, pk=row_id)


def _pressed(request: HttpRequest, act: Callable[[], Any]) -> bool:
    try:
        written(act)
    except (MergeError, ApiError) as error:
        messages.warning(request, str(error))
        return False
    return True
