"""The outbox page: the development mailbox in a browser. It exists nowhere else than in development."""

import ipaddress
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import Engine
from django.template.backends.django import DjangoTemplates
from django.urls import reverse
from django.views.decorators.http import require_safe

from emails.definitions import Email, registry
from emails.eml import Entry, Mail
from emails.mailbox import Mailbox, UnknownMailError
from emails.render import MailLinks, Recipient, Rendered, RenderError
from emails.render import render as render_mail

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

BACKEND = "emails.mailbox.MailboxBackend"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
PAGE_SIZE = 50
MAX_SEARCH = 200
MAX_RAW = 400_000
TABS = {"phone": "Phone", "desktop": "Desktop", "text": "Text", "headers": "Headers", "raw": "Raw"}
FRAMES = ("phone", "desktop")
SAMPLE_PERSON = Recipient("ada@example.com", "Ada")
CSP = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; {extra}"
STRICT = "img-src data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"
# A srcdoc frame inherits this policy: the mail needs its own styles, images and fonts. Scripts stay forbidden.
WITH_MAIL = "style-src 'unsafe-inline' https:; img-src http: https: data:; font-src https: data:"


def development_only(view: View[P]) -> View[P]:
    """Answer 404 unless the development mailbox is in use, and 403 to anyone but this machine and staff."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if settings.PRODUCTION or settings.EMAIL_BACKEND != BACKEND:
            raise Http404("There is no outbox here; it exists in development with the mailbox as EMAIL_BACKEND.")
        response = view(request, *args, **kwargs) if _may_look(request) else _refuse(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    return guarded


@development_only
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """List mails, newest first; ``q`` searches addresses and subjects, ``before`` continues a list."""
    search, before = request.GET.get("q", "").strip()[:MAX_SEARCH], request.GET.get("before", "")
    mailbox = _mailbox()
    try:
        page = mailbox.page(before=before, search=search, size=PAGE_SIZE)
    except UnknownMailError as error:
        raise Http404(str(error)) from error
    context = {
        "page": page,
        "count": mailbox.count(),
        "search": search,
        "before": before,
        "live": not before and request.GET.get("live") != "0",
        "older": f"?{urlencode({'before': page.older, **({'q': search} if search else {})})}" if page.older else "",
        "example": _example(),
        "emails": list(registry),
    }
    return _page(request, "outbox/list.html", context)


@development_only
@require_safe
def outbox_mail(request: HttpRequest, day: str, name: str) -> HttpResponse:
    """Show one mail: as a phone or a desktop shows it, its text part, its headers, or its source."""
    mail = _read(day, name)
    return _show(request, mail, {tab: title for tab, title in TABS.items() if mail.html or tab not in FRAMES})


@development_only
@require_safe
def outbox_preview(request: HttpRequest, email_id: str) -> HttpResponse:
    """Show an e-mail of the product, rendered this moment with its sample: an edited template needs no restart."""
    if email_id not in registry:
        raise Http404(registry.unknown(email_id))
    email = registry.get(email_id)
    try:
        rendered = render_mail(
            email_id, props=email.sample, links=_sample_links(), contact=SAMPLE_PERSON, engine=_uncached_engine()
        )
    except RenderError as error:
        return _page(request, "outbox/broken.html", {"email": email, "problem": str(error)})
    return _show(request, _as_mail(rendered), {tab: TABS[tab] for tab in (*FRAMES, "text")}, preview=email)


def _show(request: HttpRequest, mail: Mail, tabs: dict[str, str], preview: Email | None = None) -> HttpResponse:
    asked = request.GET.get("view", "")
    tab = asked if asked in tabs else next(iter(tabs))
    context = {
        "mail": mail,
        "preview": preview,
        "tabs": tabs,
        "tab": tab,
        "dark": request.GET.get("theme") == "dark",
        "framed": tab in FRAMES,
        # Links open in a tab of their own: inside the frame they would have nowhere to go.
        "document": f'<base target="_blank">{mail.html}',
        "raw": mail.raw[:MAX_RAW].decode(errors="replace") if tab == "raw" else "",
        "raw_is_cut": len(mail.raw) > MAX_RAW,
    }
    return _page(request, "outbox/mail.html", context, policy=WITH_MAIL if tab in FRAMES else STRICT)


@development_only
@require_safe
def outbox_raw(request: HttpRequest, day: str, name: str) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Hand out one mail as the file it is."""
    mail = _read(day, name)
    disposition = f'attachment; filename="{mail.entry.name}.eml"'
    headers = {"Content-Disposition": disposition, "Content-Security-Policy": CSP.format(extra="sandbox")}
    return HttpResponse(mail.raw, content_type="message/rfc822", headers=headers)


def _as_mail(rendered: Rendered) -> Mail:
    sender, person = settings.DEFAULT_FROM_EMAIL, SAMPLE_PERSON.email
    entry = Entry("", "", datetime.fromtimestamp(0, UTC), rendered.subject, sender, person)
    return Mail(entry, "", rendered.html, rendered.text, headers=[], attachments=[], raw=b"")


def _sample_links() -> MailLinks:
    address = f"{settings.API_PUBLIC_URL}/v1/email"
    return MailLinks(f"{address}/unsubscribe?token=preview", f"{address}/preferences?token=preview")


def _uncached_engine() -> Engine:
    """Return the product's template engine once more, one that has read no template yet."""
    given = {name: value for name, value in settings.TEMPLATES[0].items() if name != "BACKEND"}
    return DjangoTemplates({"NAME": "preview", "OPTIONS": {}, **given}).engine


def _mailbox() -> Mailbox:
    return Mailbox(Path(settings.HOGSEND_OUTBOX_DIR))


def _read(day: str, name: str) -> Mail:
    try:
        return _mailbox().read(f"{day}/{name}")
    except UnknownMailError as error:
        raise Http404(str(error)) from error


def _may_look(request: HttpRequest) -> bool:
    return _is_this_machine(request) or (request.user.is_active and request.user.is_staff)


def _is_this_machine(request: HttpRequest) -> bool:
    """True for a direct connection from this machine under a name that no stranger's domain can point here."""
    forwarded = any(header in request.headers for header in FORWARDED)
    return not forwarded and _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_own_name(request.get_host())


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _is_own_name(host: str) -> bool:
    # A web page of a domain that resolves to 127.0.0.1 reaches us with the right address but its own name.
    name = urlsplit(f"//{host}").hostname or ""
    own = {urlsplit(settings.API_PUBLIC_URL).hostname}
    return name in own or "." not in name or name.endswith(".localhost") or _is_loopback(name)


def _refuse(request: HttpRequest) -> HttpResponse:
    login = f"{settings.LOGIN_URL}?{urlencode({'next': reverse('outbox')})}"
    return _page(request, "outbox/refused.html", {"login": login}, status=403)


def _page(
    request: HttpRequest, template: str, context: Mapping[str, object], *, policy: str = STRICT, status: int = 200
) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    response = render(request, template, {**context, "nonce": nonce}, status=status)
    response.headers["Content-Security-Policy"] = CSP.format(extra=policy.format(nonce=nonce))
    return response


def _example() -> str:
    """Return the command that makes the first mail: an event which enrols a new person in the welcome journey."""
    key = f"""python3 -c 'import json; print(json.load(open("{settings.HOGSEND_STATE_DIR}/dev.json"))["ingest_key"])'"""
    person = '{"name": "user.created", "userId": "ada", "email": "ada@example.com"}'
    return (
        f"curl {settings.API_PUBLIC_URL}/v1/events \\\n"
        f'  -H "Authorization: Bearer $({key})" \\\n'
        f'  -H "Content-Type: application/json" \\\n'
        f"  -d '{person}'"
    )
