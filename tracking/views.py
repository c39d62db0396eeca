import re
from base64 import b64decode
from ipaddress import ip_address
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import converters
from django.utils.encoding import iri_to_uri
from django.views.decorators.csrf import csrf_exempt

from emails.models import EmailSend, TrackedLink
from hogsend.api.proxy import told_by_proxy
from hogsend.clock import database_now
from tracking.actions import Visit, record_hit
from tracking.queries import link_of, send_of

GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
ID = re.compile(converters.UUIDConverter.regex, re.IGNORECASE)
METHODS = ("GET", "HEAD")
TELLING = ("purpose", "x-purpose", "sec-purpose", "x-moz")
FRESH = {
    "Cache-Control": "no-store, no-cache, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Robots-Tag": "noindex, nofollow",
}
# Webmail on another origin shows the pixel; the shell around every answer would forbid it to.
PIXEL = {**FRESH, "Cross-Origin-Resource-Policy": "cross-origin"}

log = structlog.get_logger(__name__)


@csrf_exempt
def click(request: HttpRequest, link_id: str) -> HttpResponse:
    """Lead to where the link of the mail pointed; an unknown link leads to our front door."""
    if refusal := _refusal(request, link_id):
        return refusal
    link = link_of(UUID(link_id))
    if link is None:
        return _lead_to(settings.API_PUBLIC_URL)
    _record(request, send=link.send, link=link)
    return _lead_to(link.url if _is_web(link.url) else settings.API_PUBLIC_URL)


@csrf_exempt
def open_pixel(request: HttpRequest, send_id: str) -> HttpResponse:
    """Answer with one transparent pixel, whether or not we know the mail."""
    if refusal := _refusal(request, send_id):
        return refusal
    _record(request, send=UUID(send_id), link=None)
    return HttpResponse(GIF, content_type="image/gif", headers=PIXEL)


def _refusal(request: HttpRequest, row_id: str) -> HttpResponse | None:
    if request.method not in METHODS:
        error = f"{request.method} is not possible here; use GET."
        return JsonResponse({"error": error}, status=405, headers={"Allow": ", ".join(METHODS)})
    if not ID.fullmatch(row_id):
        return JsonResponse({"error": "The address is damaged; open the link from the mail again."}, status=400)
    return None


def _record(request: HttpRequest, *, send: EmailSend | UUID, link: TrackedLink | None) -> None:
    """Record the hit if we can. The person at the other end gets their page whatever happens here."""
    try:
        row = send_of(send) if isinstance(send, UUID) else send
        if row is not None:
            record_hit(send=row, link=link, visit=_visit(request), now=database_now())
    except Exception:
        log.exception("tracking.hit_lost", kind="click" if link else "open")


def _visit(request: HttpRequest) -> Visit:
    return Visit(
        method=request.method or "",
        user_agent=request.headers.get("User-Agent", ""),
        headers={name: request.headers[name] for name in TELLING if name in request.headers},
        ip=_ip(request),
    )


def _ip(request: HttpRequest) -> str | None:
    """Return where the request came from, as far as it can be trusted."""
    return _valid_ip(told_by_proxy(request)) or _valid_ip(request.META.get("REMOTE_ADDR", ""))


def _valid_ip(text: str) -> str | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return str(address)


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _lead_to(url: str) -> HttpResponse:
    # Not HttpResponseRedirect: it refuses addresses of more than 2,048 characters, which mail may well hold.
    return HttpResponse(status=302, headers={"Location": iri_to_uri(url), **FRESH})
