from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from buckets.admin.members import stays_of
from contacts.models import Contact, ContactKey
from hogsend.admin_site import column
from hogsend.lib.address import normalise_email
from hogsend.pages import badge, link, moment
from ops.admin.hands import PersonAdmin
from ops.people import merges_of, open_conflicts_of, uuid_of
from ops.timeline import story_of
from preferences.models import Preference, Suppression

TONES = {"active": "good", "merged": "plain", "deleted": "bad"}
MOST_FOUND = 1000
HANDS = ("change", "delete", "erase", "export")


@admin.register(Contact)
class ContactAdmin(PersonAdmin):
    """People, found by any key they were ever known by, with their whole story."""

    list_display = ("person", "external_id", "email", "state", "first_seen_at", "last_seen_at")
    list_filter = (("deleted_at", admin.EmptyFieldListFilter),)
    ordering = ("-last_seen_at",)
    search_fields = ("email",)
    search_help_text = "Beginning of an address or id"
    page_template = "admin/ops/contact.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        """Leave the properties to the page of one person."""
        rows: QuerySet[Contact] = super().get_queryset(request)
        is_page = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return rows.select_related("merged_into") if is_page else rows.defer("properties")

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        """Find by the beginning of any key, also one that a merge has retired, or by our own id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        starts = Q(value__startswith=term) | Q(value__startswith=normalise_email(term))
        found = ContactKey.objects.filter(starts).values("contact_id")[:MOST_FOUND]
        return queryset.filter(Q(id__in=found) | Q(id=uuid_of(term))), False

    @column("Contact")
    def person(self, contact: Contact) -> str:
        """The best name there is."""
        return str(contact)

    @column("State", labels={"active": "success", "merged": "info", "deleted": "danger"})
    def state(self, contact: Contact) -> str:
        """Active, merged into another, or deleted."""
        return state_of(contact)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Who this is."""
        zone = f"{obj.timezone}, from {obj.timezone_source}" if obj.timezone_source else obj.timezone
        return [
            ("State", badge(state_of(obj), TONES[state_of(obj)])),
            ("E-mail", obj.email),
            ("User id", obj.external_id),
            ("Anonymous id", obj.anonymous_id),
            ("Time zone", zone),
            ("First seen", moment(obj.first_seen_at)),
            ("Last seen", moment(obj.last_seen_at)),
            ("Merged into", link("contacts_contact", obj.merged_into_id, obj.merged_into)),
            ("Mail", badge(*_mail(obj))),
            ("Id", obj.id),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Keys, properties, story, whom it was merged with, and what the member of staff may do."""
        return {
            "keys": obj.keys.order_by("created_at", "id")[:100],
            "properties": sorted(obj.properties.items()),
            "stays": stays_of(obj.id) if request.user.has_perm("buckets.view_bucketmembership") else None,
            "story": story_of(obj.id),
            "merges": merges_of(obj.id)[:50],
            "conflicts": open_conflicts_of(obj.id)[:20],
            "lives": obj.deleted_at is None,
            "may": {name: request.user.has_perm(f"contacts.{name}_contact") for name in HANDS},
        }


def state_of(contact: Contact) -> str:
    """Say whether a contact is active, merged or deleted."""
    if contact.merged_into_id:
        return "merged"
    return "deleted" if contact.deleted_at else "active"


def _mail(contact: Contact) -> tuple[str, str]:
    blocked = Suppression.objects.filter(email=contact.email, suppressed_at__isnull=False).first()
    if blocked:
        return f"suppressed ({blocked.get_reason_display()})", "bad"
    if Preference.objects.filter(contact=contact, unsubscribed_all=True).exists():
        return "unsubscribed from all mail", "warn"
    return ("allowed", "good") if contact.email else ("no address", "plain")
