"""How times and states look on the admin's pages."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from hogsend import pages

register = template.Library()

TONES = {
    "queued": "live",
    "sending": "live",
    "sent": "good",
    "delivered": "good",
    "bounced": "bad",
    "complained": "bad",
    "skipped": "plain",
    "failed": "bad",
    "unknown": "warn",
    "active": "live",
    "waiting": "live",
    "completed": "good",
    "exited": "warn",
    "human": "good",
    "machine": "bad",
}


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """Show a time in UTC, to the second."""
    return pages.moment(value)


@register.filter
def from_now(value: datetime) -> str:
    """Say how far away a time is: ``in 2 days`` or ``3 minutes ago``."""
    now = datetime.now(tz=UTC)
    return f"in {timeuntil(value, now, depth=1)}" if value > now else f"{timesince(value, now, depth=1)} ago"


@register.filter
def span(value: timedelta) -> str:
    """Say how long something took."""
    start = datetime(2001, 1, 1, tzinfo=UTC)
    return f"{value.seconds} s" if value < timedelta(minutes=1) else timesince(start, start + value, depth=2)


@register.filter
def tone(status: str) -> str:
    """Return the colour of a status."""
    return TONES.get(status, "plain")
