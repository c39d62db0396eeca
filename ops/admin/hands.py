"""What staff can do with one person: merge, change the address, delete, erase, export; each on a page of its own."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from contacts.actions import MergeError, delete_contact, erase_contact, merge_contacts, preview_merge
from contacts.actions.address import AddressTakenError, ContactGoneError, change_address
from contacts.models import Contact
from hogsend.admin_site import LookAdmin
from hogsend.api.errors import ApiError
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.pages import link
from ops.admin.forms import AddressForm, EraseForm, WhoForm
from ops.people import compare, export_of, people_named, removed, uuid_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ERASED = "erased contact"
NOBODY = "There is no such contact."

Admin = TypeVar("Admin", bound="PersonAdmin")
Page = Callable[[Admin, HttpRequest, Contact], HttpResponseBase]


def hand(permission: str, *methods: str) -> Callable[[Page[Admin]], Callable[..., HttpResponseBase]]:
    """Give a page its contact if the member of staff may; what is refused there is said on the contact's own page."""

    def dress(page: Page[Admin]) -> Callable[..., HttpResponseBase]:
        @wraps(page)
        def answer(self: Admin, request: HttpRequest, *, contact_id: UUID, **_url: Any) -> HttpResponseBase:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            if not request.user.has_perms(["contacts.view_contact", permission]):
                raise PermissionDenied
            contact = get_object_or_404(Contact, pk=contact_id)
            try:
                return page(self, request, contact)
            except (MergeError, ContactGoneError, ApiError) as error:
                messages.warning(request, str(error))
                return _to_page(contact.pk)

        return answer

    return dress


class PersonAdmin(LookAdmin):
    """The pages and buttons that change one person, or take all that is known of them out."""

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the addresses of the pages."""
        pages = {
            "merge": self.merge,
            "address": self.address,
            "remove": self.remove,
            "erase": self.erase,
            "export": self.export,
        }
        return tuple((f"<uuid:contact_id>/{name}/", f"contacts_contact_{name}", page) for name, page in pages.items())

    @hand("contacts.change_contact", "GET", "POST")
    def merge(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Find the other person, look at both side by side, and make them one."""
        if request.method == "POST":
            return self._merge_now(request, contact)
        if contact.deleted_at is not None:
            raise ContactGoneError
        other_id = uuid_of(request.GET.get("other", ""))
        if other_id is not None:
            return self._preview(request, contact, get_object_or_404(Contact, pk=other_id))
        form = WhoForm(request.GET if "q" in request.GET else None)
        found = people_named(form.cleaned_data["q"]) if form.is_valid() else None
        others = [one for one in found or () if one.pk != contact.pk and one.deleted_at is None]
        if len(others) == 1:
            return self._preview(request, contact, others[0])
        title = f"Merge {contact} with somebody"
        asked = found is not None
        return self._show(request, contact, "merge", title=title, form=form, others=others, found=found, asked=asked)

    @hand("contacts.change_contact", "GET", "POST")
    def address(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Change where mail goes, unless the address is somebody else's."""
        form, taken = AddressForm(request.POST or None), None
        if contact.deleted_at is not None:
            raise ContactGoneError
        if request.method == "POST" and form.is_valid():
            email = form.cleaned_data["email"]
            try:
                changed = written(lambda: change_address(contact_id=contact.pk, email=email, now=database_now()))
            except AddressTakenError as error:
                taken = Contact.objects.get(pk=error.owner_id)
            else:
                return self._address_changed(request, contact, changed=changed)
        title = f"Change the address of {contact}"
        return self._show(request, contact, "address", title=title, form=form, taken=taken)

    @hand("contacts.delete_contact", "GET", "POST")
    def remove(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Ask once more, then delete: the history stays."""
        if request.method == "POST":
            if not written(lambda: delete_contact(contact_id=contact.pk, now=database_now())):
                raise ContactGoneError
            _note(request, "Deleted.", contact)
            messages.success(request, "The contact is deleted. The history stays; nobody is behind the keys any more.")
        elif contact.deleted_at is None:
            return self._show(request, contact, "remove", title=f"Delete {contact}?")
        return _to_page(contact.pk)

    @hand("contacts.erase_contact", "GET", "POST")
    def erase(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Let the name be typed, then erase for ever and show what was removed."""
        form = EraseForm(request.POST or None, contact=contact)
        if request.method != "POST" or not form.is_valid():
            keys = contact.keys.order_by("kind", "value")[:100]
            title = f"Erase {contact} for ever?"
            return self._show(request, contact, "erase", title=title, form=form, keys=keys)
        erased = written(lambda: erase_contact(contact_id=contact.pk, now=database_now()))
        if erased is None:
            raise Http404(NOBODY)
        _note(request, "", None)
        rows = removed(erased)
        return self._show(request, None, "erased", title="Erased", rows=rows, mentions=erased.mentions)

    @hand("contacts.export_contact", "POST")
    def export(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Download all that we hold about somebody."""
        _note(request, "Downloaded all that is known.", contact)
        answer = StreamingHttpResponse(export_of(contact), content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="contact-{contact.pk}.json"'
        return answer

    def _preview(self, request: HttpRequest, contact: Contact, other: Contact) -> HttpResponse:
        """Show both and what will become of them; the contact of the page lives on, unless ``survivor`` says else."""
        switched = request.GET.get("survivor") == str(other.pk)
        survivor, absorbed = (other, contact) if switched else (contact, other)
        preview = written(lambda: preview_merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, now=database_now()))
        it = compare(survivor, absorbed, preview)
        return self._show(request, contact, "merge_preview", title="Make these two one?", it=it, other=other)

    def _merge_now(self, request: HttpRequest, contact: Contact) -> HttpResponse:
        ids = [uuid_of(request.POST.get(name, "")) for name in ("survivor", "absorbed")]
        survivor_id, absorbed_id = ids
        if survivor_id is None or absorbed_id is None or contact.pk not in ids:
            raise MergeError("Choose the other person first.")
        actor, now = f"staff: {request.user}", database_now()
        done = written(lambda: merge_contacts(survivor_id=survivor_id, absorbed_id=absorbed_id, actor=actor, now=now))
        _note(request, "Merged another contact into this one.", done.survivor)
        journal = link("contacts_contactmerge", done.pk, "The journal")
        messages.success(request, format_html("The two are one. {} says what moved, and can take it back.", journal))
        return _to_page(survivor_id)

    def _address_changed(self, request: HttpRequest, contact: Contact, *, changed: bool) -> HttpResponse:
        if changed:
            _note(request, "Changed the address.", contact)
            messages.success(request, "Mail goes to the new address from now on; the old one still leads here.")
        else:
            messages.info(request, "This is the address already; nothing was changed.")
        return _to_page(contact.pk)

    def _show(self, request: HttpRequest, contact: Contact | None, page: str, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "original": contact}
        return TemplateResponse(request, f"admin/ops/contact_{page}.html", {**shared, **context})


def _to_page(contact_id: UUID) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=[contact_id]))


def _note(request: HttpRequest, sentence: str, contact: Contact | None) -> None:
    """Write into Django's log who did what to whom: by our id only, and to nobody once they are erased."""
    LogEntry.objects.create(
        user=cast("User", request.user),
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=None if contact is None else str(contact.pk),
        object_repr=ERASED if contact is None else f"contact {contact.pk}",
        action_flag=DELETION if contact is None else CHANGE,
        change_message=sentence,
    )
