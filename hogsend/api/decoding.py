"""From the bytes of a body to typed values, with refusals that name the field."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from hogsend.api.errors import ApiError, Detail
from hogsend.api.parsers import MALFORMED, TOO_DEEP, is_too_deep
from hogsend.lib.fields import InvalidFieldError

_PLACE = re.compile(r"^(?P<what>.*) - at `\$(?P<where>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

Body = TypeVar("Body")


def decode_body(body: bytes, decode: Callable[[bytes], Body]) -> Body:
    """Decode with ``decode``, a msgspec decoder's. Raises ApiError 400 with the field and what is wrong there."""
    if is_too_deep(body):
        raise ApiError(400, TOO_DEEP)
    try:
        return decode(body)
    except RecursionError as error:
        raise ApiError(400, TOO_DEEP) from error
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise malformed(error) from error


@contextmanager
def fields_refused() -> Iterator[None]:
    """Turn an InvalidFieldError of the block into an ApiError 400."""
    try:
        yield
    except InvalidFieldError as error:
        detail: Detail = {"path": error.path, "code": error.code, "message": error.message}
        raise ApiError(400, error.message, [detail]) from error


def malformed(error: Exception) -> ApiError:
    """Say that the body is no JSON, and where it ends to be."""
    return ApiError(400, MALFORMED, [{"path": [], "code": "malformed", "message": str(error)}])


def _invalid(error: msgspec.ValidationError) -> ApiError:
    what, path = str(error), list[str | int]()
    if found := _PLACE.match(what):
        what = found["what"]
        path = [name or int(position) for name, position in _STEP.findall(found["where"])]
    if missing := re.match(r"Object missing required field `(\w+)`", what):
        path, what = [*path, missing[1]], "it is required"
    where = ".".join(str(step) for step in path) or "The body"
    sentence = f"{where} is not valid: {what[:1].lower()}{what[1:]}."
    return ApiError(400, sentence, [{"path": path, "code": "required" if missing else "invalid_type", "message": what}])
