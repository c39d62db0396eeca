"""How values look on the admin's pages."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def shown(value: Any) -> Any:
    """Return ``value`` as the pages show it: times in UTC, structures as JSON, nothing as a dash."""
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict | list):
        return format_html("<pre>{}</pre>", pretty(value)) if value else "—"
    return value


def pretty(value: Any) -> str:
    """Return JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str, sort_keys=isinstance(value, dict))


def moment(value: datetime | None) -> SafeString | str:
    """Return a time in UTC, to the second."""
    if value is None:
        return "—"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value:%Y-%m-%d %H:%M:%S}")


def link(page: str, row_id: UUID | int | str | None, text: object) -> SafeString | str:
    """Return a link to the admin page of a row; ``page`` is app and model like ``journeys_journeyrun``."""
    if row_id is None:
        return "—"
    return format_html('<a class="hs-link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[row_id]), text)


def badge(text: object, tone: str = "plain") -> SafeString:
    """Return a word on a coloured ground; tones: good, bad, warn, live, plain."""
    return format_html('<span class="hs-badge hs-{}">{}</span>', tone, text)


def query(**values: str) -> str:
    """Return the part of an address that keeps what was chosen."""
    return "?" + urlencode({name: value for name, value in values.items() if value})


def sorted_by(name: str, sort: str, **values: str) -> dict[str, str]:
    """Return where the head of a column leads: first to the largest, or to the beginning of the alphabet."""
    first = name if name == "name" else f"-{name}"
    other = name if first.startswith("-") else f"-{name}"
    mark = "" if sort not in {first, other} else ("↓" if sort.startswith("-") else "↑")
    return {"query": query(sort=other if sort == first else first, **values), "mark": mark}
