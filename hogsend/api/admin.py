from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from hogsend.admin_site import LookAdmin, column
from hogsend.api.keys import create_key
from hogsend.api.models import ApiKey, Scope
from hogsend.clock import database_now
from hogsend.pages import badge

WHAT_FOR = {
    Scope.INGEST: "ingest: send events, contacts and mails",
    Scope.READ: "read: look at everything, change nothing",
    Scope.JOURNEY_ADMIN: "journey-admin: also switch journeys and cancel runs",
    Scope.FULL_ADMIN: "full-admin: everything",
}


class NewKeyForm(forms.Form):
    """What a new key needs."""

    name = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Who uses it and where, such as “web shop”."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, text) for scope, text in WHAT_FOR.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        initial=[Scope.INGEST.value],
    )
    expires_at = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, label="Expires at (UTC)", help_text="Empty means never."
    )


@admin.register(ApiKey)
class ApiKeyAdmin(LookAdmin):
    """Keys of programs: made here, shown once, revoked here."""

    list_display = ("name", "starts_with", "may", "state", "last_used_at", "expires_at", "created_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    ordering = ("-created_at",)
    page_template = "admin/api/key.html"

    def has_add_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Whoever has been given the permission makes keys."""
        return bool(request.user.has_perm("api.add_apikey"))

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the address of the button."""
        return (("<uuid:key_id>/revoke/", "api_apikey_revoke", self.revoke),)

    @column("Starts with")
    def starts_with(self, key: ApiKey) -> str:
        """The part that tells keys apart."""
        return f"{key.prefix}…"

    @column("Scopes")
    def may(self, key: ApiKey) -> str:
        """What it may do."""
        return ", ".join(key.scopes)

    @column("State", labels={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        """Whether it still opens anything."""
        return state_of(key)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """The key without its secret, which is not stored."""
        tones = {"valid": "good", "revoked": "bad", "expired": "warn"}
        return [
            ("Name", obj.name),
            ("Starts with", self.starts_with(obj)),
            ("State", badge(state_of(obj), tones[state_of(obj)])),
            ("Scopes", self.may(obj)),
            ("Tenant", obj.tenant),
            ("Last used at", obj.last_used_at),
            ("Created at", obj.created_at),
            ("Expires at", obj.expires_at),
            ("Revoked at", obj.revoked_at),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Offer the button while the key is valid."""
        return {"may_revoke": obj.revoked_at is None and request.user.has_perm("api.change_apikey")}

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Ask for a name and scopes; then show the secret, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKeyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            key, secret = create_key(**form.cleaned_data)
            self.log_addition(request, key, f"Created with the scopes {', '.join(key.scopes)}.")
            return self._answer(request, "admin/api/created.html", title="New API key", original=key, secret=secret)
        return self._answer(request, "admin/api/new.html", title="New API key", form=form)

    def revoke(self, request: HttpRequest, *, key_id: UUID, **_url: Any) -> HttpResponse:
        """Make a key worthless, for ever."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("api.change_apikey"):
            raise PermissionDenied
        key = get_object_or_404(ApiKey, id=key_id)
        if revoke_key(key_id=key_id, now=database_now()):
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"The key “{key.name}” is revoked; within seconds it opens nothing any more.")
        else:
            messages.warning(request, f"The key “{key.name}” had been revoked before.")
        return HttpResponseRedirect(reverse("admin:api_apikey_change", args=[key.id]))

    def _answer(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        # The site's own wrapper makes every admin answer uncacheable, the one with the secret included.
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )


def state_of(key: ApiKey) -> str:
    """Say whether a key is valid, revoked or expired."""
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= database_now() else "valid"


def revoke_key(*, key_id: UUID, now: datetime) -> bool:
    """Make a key worthless for ever; False when it was revoked before."""
    return ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=now) > 0
