from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hogsend.admin_site import LookAdmin, column
from hogsend.lib.address import normalise_email
from hogsend.pages import link
from preferences.models import ConsentChange, Preference, Suppression, Tombstone


@admin.register(Preference)
class PreferenceAdmin(LookAdmin):
    """What people have chosen."""

    list_display = ("contact", "mail", "opted_in", "opted_out", "paused_until", "updated_at")
    list_filter = ("unsubscribed_all",)
    list_select_related = ("contact",)
    ordering = ("-pk",)

    @column("All mail", labels={"allowed": "success", "unsubscribed": "danger"})
    def mail(self, preference: Preference) -> str:
        """Whether the person left all mail."""
        return "unsubscribed" if preference.unsubscribed_all else "allowed"

    @column("Joined")
    def opted_in(self, preference: Preference) -> str:
        """The lists and categories chosen."""
        return ", ".join(sorted(name for name, chosen in preference.categories.items() if chosen)) or "—"

    @column("Left")
    def opted_out(self, preference: Preference) -> str:
        """The lists and categories refused."""
        return ", ".join(sorted(name for name, chosen in preference.categories.items() if not chosen)) or "—"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """The choices of one person."""
        return [("Contact", link("contacts_contact", obj.contact_id, obj.contact)), *super().facts(obj)]


@admin.register(Suppression)
class SuppressionAdmin(LookAdmin):
    """Addresses that must not be mailed."""

    list_display = ("email", "state", "reason", "bounce_count", "suppressed_at", "last_bounce_at")
    list_filter = ("reason", ("suppressed_at", admin.EmptyFieldListFilter))
    search_fields = ("email",)
    search_help_text = "Exact address"

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        """Find by the whole address, however it is written."""
        address = normalise_email(search_term)
        return (queryset.filter(email=address) if address else queryset), False

    @column("State", labels={"suppressed": "danger", "counting bounces": "warning"})
    def state(self, suppression: Suppression) -> str:
        """Whether the address is blocked already."""
        return "suppressed" if suppression.suppressed_at else "counting bounces"


@admin.register(Tombstone)
class TombstoneAdmin(LookAdmin):
    """What people who are gone had refused; the addresses are not known any more."""

    list_display = ("starts_with", "mail", "left", "address", "created_at", "updated_at")
    list_filter = ("unsubscribed_all", "suppressed")

    @column("Hash begins")
    def starts_with(self, tombstone: Tombstone) -> str:
        """The part that tells tombstones apart."""
        return str(tombstone)

    @column("All mail", labels={"allowed": "success", "left": "danger"})
    def mail(self, tombstone: Tombstone) -> str:
        """Whether all mail was left."""
        return "left" if tombstone.unsubscribed_all else "allowed"

    @column("Left")
    def left(self, tombstone: Tombstone) -> str:
        """The lists and categories that were left."""
        return ", ".join(sorted(tombstone.categories)) or "—"

    @column("Address", labels={"suppressed": "danger"})
    def address(self, tombstone: Tombstone) -> str:
        """Whether the address had bounced or complained."""
        return "suppressed" if tombstone.suppressed else "—"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """What it blocks, without the hash itself."""
        return [
            ("Hash begins", str(obj)),
            ("All mail", self.mail(obj)),
            ("Left", self.left(obj)),
            ("Address", self.address(obj)),
            ("Created at", obj.created_at),
            ("Updated at", obj.updated_at),
        ]


@admin.register(ConsentChange)
class ConsentChangeAdmin(LookAdmin):
    """The history of consent."""

    list_display = ("contact", "what", "direction", "door", "created_at")
    list_filter = ("door", "subscribed")
    list_select_related = ("contact",)

    @column("Concerns")
    def what(self, change: ConsentChange) -> str:
        """A category, or all mail."""
        return change.category or "all mail"

    @column("Change", labels={"joined": "success", "left": "danger"})
    def direction(self, change: ConsentChange) -> str:
        """Joined or left."""
        return "joined" if change.subscribed else "left"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """One change, with the mail whose link was used."""
        return [
            ("Contact", link("contacts_contact", obj.contact_id, obj.contact)),
            ("Concerns", self.what(obj)),
            ("Change", self.direction(obj)),
            ("Door", obj.get_door_display()),
            ("Mail", link("emails_emailsend", obj.send_id, "the mail whose link was used")),
            ("At", obj.created_at),
        ]
