"""What the query of an operator's call asks for; what makes no sense is refused with a sentence."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast

from buckets.history import Period
from buckets.models import MembershipStatus
from hogsend.api.parameters import Asked, choice, invalid

PERIODS: Final = ("day", "week", "month")
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=731)
NO_MOMENT = "{} must be an ISO 8601 time with an offset, like 2026-01-31T12:00:00Z; in an address + is written %2B."
BACKWARDS = "from must not be after to; to is now if it is not given."
TOO_LONG = "from and to must not be more than two years apart; ask for less at once."


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are asked for, both within, and by what they are put together."""

    since: date
    until: date
    period: Period


def status_of(asked: Asked) -> MembershipStatus:
    """Read whether those are wanted who are in, which is usual, or the stays that have ended. Raises ApiError 400."""
    return MembershipStatus(choice(asked, "status", MembershipStatus.values))


def span_of(asked: Asked, *, now: datetime) -> Span:
    """Read ``period``, ``from`` and ``to``: whole days of UTC, the last 30 if nothing is said, none that is to come."""
    period = cast("Period", choice(asked, "period", PERIODS))
    until = _moment(asked, "to") or now
    since = _moment(asked, "from") or until - USUAL_SPAN
    if since > until:
        raise invalid("from", BACKWARDS)
    if until - since > LONGEST_SPAN:
        raise invalid("from", TOO_LONG)
    # Who asks for all before midnight does not mean the day that begins then.
    last = max(since.date(), (until - timedelta(microseconds=1)).date())
    return Span(since.date(), min(last, now.astimezone(UTC).date()), period)


def _moment(asked: Asked, name: str) -> datetime | None:
    """Read a time, of which so much earlier is a time as well."""
    if name not in asked:
        return None
    try:
        moment = datetime.fromisoformat(asked[name])
        if moment.tzinfo is not None and moment.astimezone(UTC) - LONGEST_SPAN:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, NO_MOMENT.format(name)) from error
    raise invalid(name, NO_MOMENT.format(name))
