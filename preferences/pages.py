"""Pages for people without an account: no cookie, no script, nothing from elsewhere, kept by no cache."""

import secrets
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from preferences.tokens import InvalidTokenError

REASONS = (
    gettext_noop("Missing token"),
    gettext_noop("Malformed token"),
    gettext_noop("Invalid token signature"),
    gettext_noop("Malformed token payload"),
    gettext_noop("Incomplete token payload"),
    gettext_noop("Token has expired"),
    gettext_noop("Invalid category"),
    gettext_noop("Wrong kind of link"),
    gettext_noop("Missing confirmation"),
    gettext_noop("Incomplete form"),
)
METHODS = ("GET", "HEAD", "POST")
POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def page(name: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Answer with one of our pages; its only style is the one carrying the nonce of this answer."""
    nonce = secrets.token_urlsafe(16)
    brand = {"brand_name": settings.HOGSEND_BRAND_NAME, "brand_address": settings.HOGSEND_BRAND_ADDRESS}
    # Rendered without the request: the context processors of the admin would look for a session.
    html = render_to_string(f"preferences/{name}.html", {**brand, "nonce": nonce, **context})
    return private(HttpResponse(html, status=status, headers={"Content-Security-Policy": POLICY.format(nonce=nonce)}))


def private(response: HttpResponse) -> HttpResponse:
    """Keep an answer to a signed link out of caches, search engines and referrers."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def invalid(error: InvalidTokenError) -> HttpResponse:
    """Say that the link cannot be honoured, why, and what to do."""
    reason = str(error)
    advice = {
        "Missing confirmation": _("Open the link in a browser and press the button there."),
        "Wrong kind of link": _("This link opens the preference page only; there you can unsubscribe."),
        "Incomplete form": _("Go back, reload the page and send the form again."),
        "Token has expired": _("Open the link in a newer mail, or unsubscribe there."),
    }
    fallback = _("Copy the whole link from the mail, or open the link in a newer one.")
    return page("invalid", {"reason": _(reason), "advice": advice.get(reason, fallback)}, status=400)


def not_allowed(request: HttpRequest) -> HttpResponse:
    """Refuse a method that these addresses do not know."""
    message = _("%(method)s is not possible here; use GET or POST.") % {"method": request.method}
    return private(JsonResponse({"error": message}, status=405, headers={"Allow": ", ".join(METHODS)}))
