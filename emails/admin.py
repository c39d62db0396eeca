import re
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from emails.models import EmailSend, SendStatus
from hogsend.admin_site import LookAdmin, ValuesInUse, column
from hogsend.lib.address import normalise_email
from hogsend.pages import badge, link
from hogsend.templatetags.hogsend_pages import TONES

LABELS = {"good": "success", "bad": "danger", "warn": "warning", "live": "info"}
# A look at the mail must neither run anything nor count as an open: no scripts, and no image from ourselves.
POLICY = """\
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src https: data:">
<meta name="referrer" content="no-referrer"><style>a{pointer-events:none}</style>
"""
PIXEL = re.compile(r"<img\b[^>]*/v1/t/o/[^>]*>", re.IGNORECASE)
HREF = re.compile(r"(<a\b[^>]*?)\shref\s*=", re.IGNORECASE)


class EmailFilter(ValuesInUse):
    title = "e-mail"
    parameter_name = "email_id"


@admin.register(EmailSend)
class EmailSendAdmin(LookAdmin):
    """Every mail that was, or was deliberately not, sent."""

    list_display = ("subject_or_id", "to_email", "email_id", "state", "why", "created_at", "sent_at")
    list_filter = (EmailFilter, "status", "reason", "origin")
    search_fields = ("to_email",)
    search_help_text = "Exact address"
    page_template = "admin/emails/send.html"
    list_select_related: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailSend]:
        """Leave the bodies of the mails to the page of one."""
        rows: QuerySet[EmailSend] = super().get_queryset(request)
        is_page = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return rows.select_related("contact") if is_page else rows.defer("html", "text", "headers")

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[EmailSend], search_term: str
    ) -> tuple[QuerySet[EmailSend], bool]:
        """Find by the whole address, however it is written."""
        address = normalise_email(search_term)
        return (queryset.filter(to_email=address) if address else queryset), False

    @column("Subject")
    def subject_or_id(self, send: EmailSend) -> str:
        """What the mail says first; a mail that was never rendered has its name."""
        return send.subject or f"({send.email_id})"

    @column("Status", labels={status.label: LABELS.get(TONES.get(status.value, ""), "") for status in SendStatus})
    def state(self, send: EmailSend) -> str:
        """Where it stands."""
        return send.get_status_display()

    @column("Why not")
    def why(self, send: EmailSend) -> str:
        """The reason of a mail that was not sent."""
        return send.get_reason_display() if send.reason else "—"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Who was written to on whose behalf, and what became of it."""
        journey = link("journeys_journeyrun", obj.run_id, f"{obj.origin_id}, this run") if obj.run_id else obj.origin_id
        return [
            ("Contact", link("contacts_contact", obj.contact_id, obj.contact)),
            ("To", obj.to_email),
            ("From", obj.from_email),
            ("Reply to", ", ".join(obj.reply_to)),
            ("Status", badge(obj.get_status_display(), TONES.get(obj.status, "plain"))),
            ("Why it was not sent", obj.get_reason_display() if obj.reason else None),
            ("E-mail", obj.email_id),
            ("Category", obj.category),
            (f"Asked for by ({obj.get_origin_display()})", journey),
            ("Consent", "waived by a full-admin key" if obj.skip_preferences else "checked"),
            ("Attempts", obj.attempts),
            ("Last error", obj.error),
            ("Bounce", obj.bounce_type),
            ("Message id at the provider", obj.provider_message_id),
            ("Idempotency key", obj.idempotency_key),
            ("Id", obj.id),
        ]

    def page(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What happened to the mail, its links and hits, and the mail itself."""
        return {
            "happenings": happenings(obj),
            "links": obj.links.order_by("created_at", "id")[:200],
            "hits": obj.hits.select_related("link")[:200],
            "preview": as_preview(obj.html) if obj.html else "",
        }


def happenings(send: EmailSend) -> list[tuple[Any, str]]:
    """Return what happened to a mail, in the order of time."""
    known = [
        (send.created_at, "decided"),
        (send.provider_started_at, "handed to the provider"),
        (send.sent_at, "accepted by the provider"),
        (send.delivered_at, "delivered"),
        (send.opened_at, "opened"),
        (send.clicked_at, "clicked"),
        (send.bounced_at, f"bounced {send.bounce_type}".strip()),
        (send.complained_at, "complained about"),
    ]
    if send.status == SendStatus.QUEUED:
        known.append((send.send_after, "not to be sent before"))
    return sorted(((at, what) for at, what in known if at is not None), key=lambda pair: pair[0])


def as_preview(html: str) -> str:
    """Return the mail for a sandboxed frame: nothing runs, no link leads away, no open is counted."""
    return POLICY + HREF.sub(r"\1 data-href=", PIXEL.sub("", html))
