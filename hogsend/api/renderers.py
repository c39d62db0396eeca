"""Answers as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

from hogsend.lib.wire import wire_time


class JsonRenderer(BaseRenderer):
    """Renders with msgspec; times look as everywhere on the wire (UTC, milliseconds, Z)."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> bytes:
        """Return ``data`` as JSON; nothing for None."""
        return b"" if data is None else to_json(data)


def to_json(data: Any) -> bytes:
    """Encode plain values, UUIDs, times, dataclasses and lazy or marked strings."""
    return msgspec.json.encode(_wired(data), enc_hook=_plain)


def _wired(data: Any) -> Any:
    if isinstance(data, datetime):
        return wire_time(data)
    if isinstance(data, Mapping):
        return {str(name): _wired(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_wired(value) for value in data]
    return data


def _plain(value: Any) -> Any:
    # msgspec knows no subclasses of str, such as the framework's ErrorDetail.
    if isinstance(value, str | Promise):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written as JSON")
