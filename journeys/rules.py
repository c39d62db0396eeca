"""Who may enter a journey and why not, and what a run may cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

MAX_STEPS: Final = 1000
MAX_RESULT_BYTES: Final = 64 * 1024
MAX_CRASHES: Final = 5
LONGEST_RETRY: Final = timedelta(minutes=5)


class EntryLimit(StrEnum):
    """How often one person may enter a journey."""

    ONCE = "once"
    ONCE_PER_PERIOD = "once_per_period"
    UNLIMITED = "unlimited"


class SkipReason(StrEnum):
    """Why an event did not start a journey; decided in this order."""

    DISABLED = "journey_disabled"
    DISABLED_BY_ADMIN = "journey_disabled_by_admin"
    CONDITIONS = "trigger_conditions_not_met"
    ENTERED_ONCE = "already_entered_once"
    PERIOD = "period_not_elapsed"
    UNSUBSCRIBED = "user_unsubscribed"
    ACTIVE = "already_active"


@dataclass(frozen=True, slots=True)
class Enrol:
    """The person may enter, for the ``entry_number``-th time."""

    entry_number: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The person may not enter, for this reason."""

    reason: SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """All that decides whether a person enters a journey."""

    enabled: bool
    disabled_by_admin: bool
    conditions_met: bool
    entry_limit: EntryLimit
    entry_period: timedelta | None
    entries: int
    last_entered_at: datetime | None
    unsubscribed: bool
    live: bool
    now: datetime


def may_enrol(facts: EntryFacts) -> Enrol | Skip:
    """A person enters unless the journey is off, the event does not fit, they were in before, said no, or are in it."""
    blocks = {
        SkipReason.DISABLED: not facts.enabled,
        SkipReason.DISABLED_BY_ADMIN: facts.disabled_by_admin,
        SkipReason.CONDITIONS: not facts.conditions_met,
        SkipReason.ENTERED_ONCE: facts.entry_limit is EntryLimit.ONCE and facts.entries > 0,
        SkipReason.PERIOD: facts.entry_limit is EntryLimit.ONCE_PER_PERIOD and not _period_elapsed(facts),
        SkipReason.UNSUBSCRIBED: facts.unsubscribed,
        SkipReason.ACTIVE: facts.live,
    }
    reason = next((reason for reason, applies in blocks.items() if applies), None)
    return Skip(reason) if reason else Enrol(facts.entries + 1)


def _period_elapsed(facts: EntryFacts) -> bool:
    if facts.last_entered_at is None or facts.entry_period is None:
        return True
    return facts.last_entered_at <= facts.now - facts.entry_period


def scalars(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A run keeps of its trigger event what is text, number, true, false or null; nested values stay behind."""
    return {name: value for name, value in properties.items() if value is None or isinstance(value, str | int | float)}


def retry_after(attempts: int) -> timedelta:
    """What cannot go on now (no database, no such journey) waits for 1, 2, 4, … seconds, at most 5 minutes."""
    return min(timedelta(seconds=2 ** min(max(attempts - 1, 0), 10)), LONGEST_RETRY)


def duration_label(duration: timedelta) -> str:
    """Return a duration as people write it: 2d, 1d12h, 90s as 1m30s, 0s."""
    seconds, parts = duration.total_seconds(), []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        count, seconds = divmod(seconds, length)
        parts += [f"{count:.0f}{unit}"] if count else []
    return "".join([*parts, f"{seconds:g}s"] if seconds or not parts else parts)


def storable(text: str) -> str:
    """Return ``text`` without what PostgreSQL refuses: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()


def to_json(value: Any, *, what: str) -> str:
    """Return ``value`` as the JSON text that a run can record.

    Raises TypeError for what JSON cannot hold, ValueError for what is too large for a journal or refused by PostgreSQL.
    """
    try:
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is not JSON ({error}); record texts, numbers, lists or dicts.") from error
    try:
        size = len(encoded.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} holds half of a surrogate pair; clean the text before it is recorded.") from error
    if "\\u0000" in encoded.replace("\\\\", ""):
        raise ValueError(f"{what} holds a NUL character; clean the text before it is recorded.")
    if size > MAX_RESULT_BYTES:
        raise ValueError(
            f"{what} has {size:,} bytes; a run records at most {MAX_RESULT_BYTES:,}. Record an id instead."
        )
    return encoded
