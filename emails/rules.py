import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from typing import Any
from uuid import UUID

from hogsend.lib.fields import InvalidFieldError, check_address, check_text

MAX_ATTEMPTS = 10
FIRST_BACKOFF = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(hours=1)
LONGEST_PATIENCE = timedelta(days=1)
SPREAD = 0.2
MAX_LINE = 998  # the longest line of a header
NAME_KEYS = ("firstName", "first_name", "name")

_NOT_IN_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_BREAKS_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]+")


def one_line(text: str) -> str:
    """A subject is one line without control characters, so it can never begin a header of its own."""
    return _NOT_IN_A_LINE.sub(" ", text).strip()


def tag_of(text: str) -> str:
    """A tag that every provider accepts: letters, digits, ``_`` and ``-``."""
    return _NOT_IN_A_TAG.sub("-", text).strip("-")


def mailbox(text: str, *, path: Sequence[str | int]) -> str:
    """A sender is one address, or a name and one address in angle brackets; what is used is what was understood.

    Raises InvalidFieldError for anything else.
    """
    check_text(text, field=str(path[0]), limit=MAX_LINE)
    found = [] if _BREAKS_A_LINE.search(text) else getaddresses([text])
    try:
        [(name, address)] = found
        check_address(address)
        return str(Address(name, addr_spec=address))
    except ValueError as error:
        sentence = f"{path[0]} must be an address like ada@example.com, or a name with one: Ada <ada@example.com>."
        raise InvalidFieldError(sentence, path=path, code="invalid_format") from error


def domain_of(sender: str) -> str:
    """The domain that a sender writes from."""
    return parseaddr(sender)[1].rpartition("@")[2].lower()


def may_write_from(sender: str, *, domains: Collection[str]) -> bool:
    """A key writes from the domains that are ours; a subdomain is another domain."""
    return domain_of(sender) in domains


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


def is_too_soon(last: datetime | None, *, gap: timedelta, now: datetime) -> bool:
    """A message waits for its turn until ``gap`` has passed since the last one; exactly as long is long enough."""
    return last is not None and last > now - gap


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
