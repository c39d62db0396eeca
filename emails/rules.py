import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any
from uuid import UUID

MAX_ATTEMPTS = 10
FIRST_BACKOFF = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(hours=1)
LONGEST_PATIENCE = timedelta(days=1)
SPREAD = 0.2
NAME_KEYS = ("firstName", "first_name", "name")

_NOT_IN_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]+")


def one_line(text: str) -> str:
    """A subject is one line without control characters, so it can never begin a header of its own."""
    return _NOT_IN_A_LINE.sub(" ", text).strip()


def tag_of(text: str) -> str:
    """A tag that every provider accepts: letters, digits, ``_`` and ``-``."""
    return _NOT_IN_A_TAG.sub("-", text).strip("-")


def message_id(send_id: UUID, from_email: str) -> str:
    """A send has one Message-ID for ever, in the domain it comes from."""
    domain = parseaddr(from_email)[1].rpartition("@")[2]
    return f"<{send_id}@{domain or 'localhost'}>"


def first_name(*sources: Mapping[str, Any]) -> str:
    """People are called by the first name that is known, in the order of the sources; otherwise "there"."""
    known = (source.get(key) for source in sources for key in NAME_KEYS)
    return next((name.strip() for name in known if isinstance(name, str) and name.strip()), "there")


def backoff(send_id: UUID, *, attempts: int) -> timedelta:
    """A failed try waits 30 seconds, twice as long each time up to an hour; up to a fifth is spread by the id."""
    doubled = FIRST_BACKOFF * (1 << min(max(attempts - 1, 0), 10))
    spread = 1 + SPREAD * (send_id.int & 0xFFFF) / 0xFFFF
    return min(doubled * spread, LONGEST_BACKOFF)


def retry_after(header: str | None, *, now: datetime) -> timedelta | None:
    """A provider that says when to come again, in seconds or as a date, is believed for up to a day."""
    if not header:
        return None
    asked = _seconds(header.strip()) if header.strip().isdecimal() else _until(header, now)
    return None if asked is None else min(max(asked, timedelta(0)), LONGEST_PATIENCE)


def _seconds(digits: str) -> timedelta:
    return timedelta(seconds=min(int(digits[:9]), int(LONGEST_PATIENCE.total_seconds())))


def _until(date: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
