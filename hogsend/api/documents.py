"""``/openapi.json`` and ``/docs``: what the API takes and answers, for programs and for people."""

import secrets
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from hogsend.api.errors import error_response
from hogsend.api.reference import chapters
from hogsend.api.renderers import to_json

POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Answer with the document in OpenAPI 3.1; in production for staff only."""
    if not _may_read(request):
        return error_response(404)
    return HttpResponse(to_json(document()), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the document as a page that needs no script and asks no other server; in production for staff only."""
    if not _may_read(request):
        return error_response(404)
    nonce = secrets.token_urlsafe(16)
    page = {"brand": settings.HOGSEND_BRAND_NAME, "nonce": nonce, "document": document()}
    response = render(request, "api/docs.html", {**page, "chapters": chapters(document())})
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    return response


@cache
def document() -> dict[str, Any]:
    """Build the document; routes do not change while a process runs."""
    built: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return built


def _may_read(request: HttpRequest) -> bool:
    return not settings.PRODUCTION or bool(getattr(request.user, "is_staff", False) and request.user.is_active)
