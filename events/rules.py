"""What an event may be, and in which order the events of one person are told."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from hogsend.lib.fields import InvalidFieldError

MAX_NAME, MAX_IDEMPOTENCY_KEY = 200, 255
MAX_BATCH = 1000
RESERVED = ("bucket:", "journey:", "email.", "contact.")
FUTURE = timedelta(days=1)


def check_name(name: str) -> None:
    """A name has 1 to 200 characters, and the engine's own names stay the engine's."""
    if not name.strip() or len(name) > MAX_NAME:
        raise InvalidFieldError(f"name must have 1 to {MAX_NAME} characters.", path=["name"], code="length")
    for prefix in RESERVED:
        if name.startswith(prefix):
            sentence = f"Names that begin with {prefix!r} are reserved for the engine; choose another name."
            raise InvalidFieldError(sentence, path=["name"], code="reserved")


def moment_of(text: str, *, now: datetime) -> datetime:
    """Read an ISO 8601 time with an offset or Z, at most a day ahead of ``now``."""
    sentence = "timestamp must be an ISO 8601 time with an offset, like 2026-01-31T12:00:00Z."
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise InvalidFieldError(sentence, path=["timestamp"], code="invalid_format")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidFieldError):
            raise
        raise InvalidFieldError(sentence, path=["timestamp"], code="invalid_format") from error
    if moment > now + FUTURE:
        sentence = "timestamp lies more than a day in the future; send the event when it has happened."
        raise InvalidFieldError(sentence, path=["timestamp"], code="future")
    return moment


def fingerprint(request: Mapping[str, Any]) -> bytes:
    """16 bytes that are equal when two requests mean the same, whatever the order of their fields."""
    return blake2b(msgspec.json.encode(request, order="sorted"), digest_size=16).digest()


def waves(events: Sequence[tuple[Hashable, str]], names: Collection[str]) -> list[list[int]]:
    """Split events, given as (person, name), into sets told one after the other.

    No set holds two events of one person with a name in ``names``, and each person's events keep their order.
    """
    told: Counter[Hashable] = Counter()
    found: list[list[int]] = []
    for position, (person, name) in enumerate(events):
        if name in names:
            told[person] += 1
        wave = max(told[person] - 1, 0)
        while len(found) <= wave:
            found.append([])
        found[wave].append(position)
    return found
