"""Request bodies: JSON whatever the Content-Type says, of bounded size and depth, without NUL."""

import re
from collections.abc import Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from django.http import HttpRequest
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from hogsend.api.errors import ApiError

MAX_DEPTH = 100
MALFORMED = "Malformed JSON in request body"
TOO_DEEP = f"The JSON in the request body nests deeper than {MAX_DEPTH} levels; flatten it."
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class JsonParser(BaseParser):
    """The parser of every endpoint which reads ``request.data``."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],  # noqa: ARG002
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Decode the body. Raises ApiError with 400, 411 or 413."""
        if parser_context is None:
            raise ValueError("JsonParser needs the view's context.")
        return decode(json_body(parser_context["request"]))


def json_body(request: Request, *, limit: int | None = None) -> bytes:
    """Return the body of at most ``limit`` bytes (HOGSEND_MAX_BODY_BYTES), good to be decoded. Raises ApiError."""
    body = read_body(request._request, limit=limit or settings.HOGSEND_MAX_BODY_BYTES)  # noqa: SLF001
    check_json(body)
    return body


def read_body(request: HttpRequest, *, limit: int) -> bytes:
    """Return the raw body. Raises ApiError: 413 above ``limit`` before anything is read, 411 without a length."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise ApiError(400, "The Content-Length header must be a whole number of bytes.")
    if int(length) > limit:
        raise ApiError(413, f"The request body is larger than {limit} bytes; send less at once.")
    if length == "0" and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise ApiError(411, "Send the body with a Content-Length header; chunked bodies are not read.")
    return request.body


def check_json(body: bytes) -> None:
    """Refuse what decoders let through and the database does not. Raises ApiError 400."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, "The request body is not valid UTF-8; encode it as UTF-8.") from error
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        raise ApiError(400, "The request body holds a NUL character (\\u0000), which cannot be stored; remove it.")
    if is_too_deep(body):
        raise ApiError(400, TOO_DEEP)


def is_too_deep(body: bytes) -> bool:
    """Say whether brackets nest deeper than MAX_DEPTH."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKET.finditer(body):
        first = found.group()[0]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def decode(body: bytes) -> Any:
    """Decode JSON into plain values. Raises ApiError 400."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ApiError(400, MALFORMED, [{"path": [], "code": "malformed", "message": str(error)}]) from error
