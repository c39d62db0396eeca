"""The one shape of every refusal: a sentence, and for 400 which fields it is about."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

SENTENCES: dict[int, str] = {
    400: "The request is not valid.",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method not allowed",
    500: "Internal Server Error",
}


class Detail(TypedDict):
    """One thing that is wrong with a request, and where."""

    path: list[str | int]
    code: str
    message: str


class ApiError(Exception):
    """A refusal, raised anywhere below a view: status, a sentence that says what to do, and details for a 400."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Sequence[Detail] = (),
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.details = list(details)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return error_body(self.status, self.message, self.details)


def error_body(status: int, message: str, details: Sequence[Detail] = ()) -> dict[str, Any]:
    """Build the one shape. Only a 400 carries details."""
    body: dict[str, Any] = {"error": message}
    if status == HTTPStatus.BAD_REQUEST and details:
        body["details"] = list(details)
    return body


def error_response(status: int, message: str = "", details: Sequence[Detail] = ()) -> HttpResponse:
    """Answer with the one shape outside the REST framework."""
    body = error_body(status, message or SENTENCES.get(status, "The request failed."), details)
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Translate whatever a view raised into the one shape; None leaves it to be a 500."""
    if isinstance(error, ApiError):
        return Response(error.body(), status=error.status, headers=error.headers)
    if isinstance(error, Http404):
        return Response(error_body(404, SENTENCES[404]), status=404)
    if isinstance(error, PermissionDenied):
        return Response(error_body(403, SENTENCES[403]), status=403)
    if isinstance(error, exceptions.MethodNotAllowed):
        return Response(error_body(405, _other_method(context)), status=405)
    if isinstance(error, exceptions.APIException):
        return _translate(error)
    return None


def _translate(error: exceptions.APIException) -> Response:
    status = error.status_code
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(error, exceptions.ValidationError):
        details = list(_details(error.detail, []))
        return Response(error_body(status, _first_sentence(details), details), status=status, headers=headers)
    return Response(error_body(status, _sentence(error)), status=status, headers=headers)


def _other_method(context: dict[str, Any]) -> str:
    allowed = [method for method in context["view"].allowed_methods if method != "OPTIONS"]
    return f"{context['request'].method} is not allowed here; use {' or '.join(allowed)}."


def _sentence(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated):
        return SENTENCES[401]
    if isinstance(error, exceptions.ParseError):
        return "Malformed JSON in request body"
    return str(error.detail)


def _details(found: Any, path: list[str | int]) -> Iterator[Detail]:
    if isinstance(found, dict):
        for name, below in found.items():
            yield from _details(below, path if name == "non_field_errors" else [*path, name])
    elif isinstance(found, list):
        for position, below in enumerate(found):
            yield from _details(below, path if isinstance(below, str) else [*path, position])
    else:
        yield {"path": path, "code": getattr(found, "code", "invalid"), "message": str(found)}


def _first_sentence(details: list[Detail]) -> str:
    if not details:
        return SENTENCES[400]
    where = ".".join(str(step) for step in details[0]["path"])
    return f"{where}: {details[0]['message']}" if where else details[0]["message"]
