"""The shell around every answer: request id, security headers, CORS, JSON for what is lost or broken, one log line."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars

from hogsend.api.errors import ApiError, error_response

API = "/v1/"
NUL = "The address holds a NUL character (%00), which cannot be stored; remove it."
REQUEST_ID = re.compile(r"[A-Za-z0-9_\-=]{1,255}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Strict-Transport-Security": "max-age=15552000; includeSubDomains",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}

log = structlog.get_logger("http")


class ShellMiddleware:
    """Wraps everything else. A view may set a header itself; the shell then leaves it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        if request.method == "OPTIONS" and request.path.startswith(API):
            return _preflight(request)
        started = time.perf_counter()
        request_id = _request_id(request)
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        response = error_response(400, NUL) if _holds_nul(request) else self.get_response(request)
        response = _in_json(request, response)
        response.headers["X-Request-Id"] = request_id
        _add_headers(request, response)
        _write_line(request, response, started)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a plain view's ApiError, and any fault under /v1 as a 500 which says nothing."""
        if isinstance(error, ApiError):
            answer = error_response(error.status, error.message, error.details)
            for name, value in error.headers.items():
                answer.headers[name] = value
            return answer
        if not request.path.startswith(API):
            return None
        log.error("http.fault", method=request.method, path=request.path, exc_info=error)
        return error_response(500)


def _preflight(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(status=204)
    del response.headers["Content-Type"]
    response.headers["Access-Control-Allow-Methods"] = "GET,HEAD,PUT,POST,DELETE,PATCH"
    if asked := request.headers.get("Access-Control-Request-Headers"):
        response.headers["Access-Control-Allow-Headers"] = asked
        response.headers["Vary"] = "Access-Control-Request-Headers"
    _add_headers(request, response)
    return response


def _request_id(request: HttpRequest) -> str:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _holds_nul(request: HttpRequest) -> bool:
    return "%00" in request.META.get("QUERY_STRING", "") or "\x00" in request.path_info


def _in_json(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Put the one error shape where Django's page would stand: no such path, and bare refusals under /v1."""
    lost = response.status_code == 404 and request.resolver_match is None  # noqa: PLR2004
    bare = response.status_code >= 400 and request.path.startswith(API) and not getattr(response, "content", b"-")  # noqa: PLR2004
    if not (lost or bare):
        return response
    answer = error_response(response.status_code)
    if allowed := response.headers.get("Allow"):
        answer.headers["Allow"] = allowed
    return answer


def _add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if request.path.startswith(API):
        headers.setdefault("Access-Control-Allow-Origin", "*")
        headers.setdefault("Referrer-Policy", "no-referrer")
        if verdict := getattr(request, "rate_limit", None):
            headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"] = str(verdict.limit), str(verdict.remaining)
    # Without a referrer browsers call the origin of a form "null", and every form of the admin would be refused.
    headers.setdefault("Referrer-Policy", "same-origin")
    if isinstance(response, HttpResponse) and response.status_code not in {204, 304}:
        headers.setdefault("Content-Length", str(len(response.content)))


def _write_line(request: HttpRequest, response: HttpResponseBase, started: float) -> None:
    caller = getattr(request, "auth", None)
    log.info(
        "http.request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round((time.perf_counter() - started) * 1000, 1),
        caller=getattr(caller, "name", None),
    )
