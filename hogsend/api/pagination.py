"""Pages of long lists: newest first, by a cursor that stays right while rows come and go."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from hogsend.api.errors import ApiError, Detail
from hogsend.api.renderers import to_json

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
NEWEST_FIRST = ("-created_at", "-id")
MAX_CURSOR = 2048

Row = TypeVar("Row", bound=Model)


def paged(
    name: str,
    rows: QuerySet[Row],
    request: Request,
    *,
    shown: Callable[[Row], dict[str, Any]],
    order: Sequence[str] = NEWEST_FIRST,
) -> dict[str, Any]:
    """Return one page of ``rows`` as ``{name: [...], "nextCursor": ...}``.

    ``order`` names columns without nulls, of which the last is unique. Raises ApiError 400 for a bad limit or cursor.
    """
    limit = _limit(request)
    if cursor := request.query_params.get("cursor"):
        rows = rows.filter(_beyond(rows.model, order, cursor))
    found = list(rows.order_by(*order)[: limit + 1])
    more = _cursor(found[limit - 1], order) if len(found) > limit else None
    return {name: [shown(row) for row in found[:limit]], "nextCursor": more}


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (
        given.isascii() and given.isdecimal() and len(given) <= len(str(MAX_LIMIT)) and 1 <= int(given) <= MAX_LIMIT
    ):
        raise _refusal("limit", f"limit must be a whole number between 1 and {MAX_LIMIT}.")
    return int(given)


def _cursor(row: Model, order: Sequence[str]) -> str:
    values = [getattr(row, name.lstrip("-")) for name in order]
    # Times with every digit: the wire's milliseconds would skip rows.
    plain = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
    return base64.urlsafe_b64encode(to_json(plain)).rstrip(b"=").decode()


def _beyond(model: type[Model], order: Sequence[str], cursor: str) -> Q:
    """Return the condition of the rows after the one that ``cursor`` names."""
    after, same = Q(), Q()
    for name, value in zip(order, _values(model, order, cursor), strict=True):
        column = name.lstrip("-")
        after |= same & Q(**{f"{column}__{'lt' if name.startswith('-') else 'gt'}": value})
        same &= Q(**{column: value})
    return after


def _values(model: type[Model], order: Sequence[str], cursor: str) -> list[Any]:
    try:
        padded = cursor[:MAX_CURSOR] + "=" * (-len(cursor) % 4)
        values = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list[str | int])
        columns = [model._meta.get_field(name.lstrip("-")) for name in order]  # noqa: SLF001 - Django's documented API
        return [_cleaned(column, value) for column, value in zip(columns, values, strict=True)]
    except (ValueError, TypeError, OverflowError, binascii.Error, msgspec.MsgspecError, ValidationError) as error:
        raise _refusal("cursor", "cursor must be the nextCursor of an earlier page; leave it out to begin.") from error


def _cleaned(column: Any, value: str | int) -> Any:
    cleaned = column.clean(value, None)
    if isinstance(cleaned, datetime):
        return cleaned.astimezone(UTC)
    return cleaned.replace("\x00", "") if isinstance(cleaned, str) else cleaned


def _refusal(field: str, sentence: str) -> ApiError:
    detail: Detail = {"path": [field], "code": "invalid", "message": sentence}
    return ApiError(400, sentence, [detail])
