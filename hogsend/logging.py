"""Structured logs: one line per happening, JSON in production, readable in development.

Our own lines go straight to stderr; those of libraries come through the standard library and look the same.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


class Lines:
    """Writes lines to stderr, whichever that is at the moment."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line, at whatever level."""
        sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def as_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    """Render a line as JSON; what JSON does not know is written as its text."""
    return msgspec.json.encode(line, enc_hook=repr).decode()


def logging_config(*, json: bool, level: str) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING: JSON lines or readable ones, from ``level`` upwards."""
    renderer = as_json if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*_SHARED, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=Lines,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {"django.request": {"level": "ERROR"}, "celery": {"level": "WARNING"}},
    }
