"""What the query of an operator's call asks for; what makes no sense is refused with a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast

from buckets.history import Period
from buckets.models import MembershipStatus
from hogsend.api.errors import ApiError

LIMITS: Final = range(1, 101)
OFFSETS: Final = range(1_000_000_001)
USUAL_LIMIT = 50
PERIODS: Final = ("day", "week", "month")
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=731)
NO_MOMENT = "{} must be an ISO 8601 time with an offset, like 2026-01-31T12:00:00Z; in an address + is written %2B."
BACKWARDS = "from must not be after to; to is now if it is not given."
TOO_LONG = "from and to must not be more than two years apart; ask for less at once."

Asked = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are asked for."""

    limit: int
    offset: int

    @property
    def rows(self) -> slice:
        """Their places in the list."""
        return slice(self.offset, self.offset + self.limit)


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are asked for, both within, and by what they are put together."""

    since: date
    until: date
    period: Period


def page_of(asked: Asked) -> Page:
    """Read ``limit`` and ``offset``. Raises ApiError 400, as all of these do."""
    return Page(_whole(asked, "limit", USUAL_LIMIT, LIMITS), _whole(asked, "offset", 0, OFFSETS))


def enabled_of(asked: Asked) -> bool | None:
    """Read whether only what is on, or only what is off, is wanted; None is both."""
    return None if "enabled" not in asked else _choice(asked, "enabled", ("true", "false")) == "true"


def status_of(asked: Asked) -> MembershipStatus:
    """Read whether those are wanted who are in, which is usual, or the stays that have ended."""
    return MembershipStatus(_choice(asked, "status", MembershipStatus.values))


def user_of(asked: Asked) -> str | None:
    """Read whose stays are wanted; None is everybody's."""
    given: str | None = asked.get("userId")
    if given is not None and not given.strip():
        raise _refusal("userId", "userId is empty; say who is looked for, or leave it out.")
    return given


def span_of(asked: Asked, *, now: datetime) -> Span:
    """Read ``period``, ``from`` and ``to``: whole days of UTC, the last 30 if nothing is said, none that is to come."""
    period = cast("Period", _choice(asked, "period", PERIODS))
    until = _moment(asked, "to") or now
    since = _moment(asked, "from") or until - USUAL_SPAN
    if since > until:
        raise _refusal("from", BACKWARDS)
    if until - since > LONGEST_SPAN:
        raise _refusal("from", TOO_LONG)
    # Who asks for all before midnight does not mean the day that begins then.
    last = max(since.date(), (until - timedelta(microseconds=1)).date())
    return Span(since.date(), min(last, now.astimezone(UTC).date()), period)


def _whole(asked: Asked, name: str, usual: int, allowed: range) -> int:
    given = str(asked.get(name, usual))
    if not (given.isascii() and given.isdecimal() and len(given) <= len(str(allowed.stop)) and int(given) in allowed):
        raise _refusal(name, f"{name} must be a whole number between {allowed.start} and {allowed.stop - 1}.")
    return int(given)


def _choice(asked: Asked, name: str, options: Sequence[str]) -> str:
    """Return what is chosen; the first option is usual."""
    given = str(asked.get(name, options[0]))
    if given not in options:
        raise _refusal(name, f"{name} must be {' or '.join(options)}.")
    return given


def _moment(asked: Asked, name: str) -> datetime | None:
    """Read a time, of which so much earlier is a time as well."""
    if name not in asked:
        return None
    try:
        moment = datetime.fromisoformat(asked[name])
        if moment.tzinfo is not None and moment.astimezone(UTC) - LONGEST_SPAN:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refusal(name, NO_MOMENT.format(name)) from error
    raise _refusal(name, NO_MOMENT.format(name))


def _refusal(name: str, sentence: str) -> ApiError:
    return ApiError(400, sentence, [{"path": [name], "code": "invalid", "message": sentence}])
