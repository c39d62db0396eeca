"""How numbers look on the pages of buckets."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils.timesince import timesince

register = template.Library()

FRESH = 120  # seconds
MINUS = "\N{MINUS SIGN}"


@register.filter
def number(value: int | None) -> str:
    """Write a number with commas; none is a dash."""
    return "—" if value is None else f"{value:,}"


@register.filter
def signed(value: int) -> str:
    """Write how much more or less it is."""
    return f"{value:+,}".replace("-", MINUS) if value else "±0"


@register.filter
def stay(value: timedelta) -> str:
    """Say how long somebody stayed, in the largest unit of which it is at least two."""
    for unit, size in (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if value >= 2 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value.total_seconds():.0f} s"


@register.filter
def ago(value: datetime) -> str:
    """Say how long ago something was, to the second while it is fresh."""
    now = datetime.now(tz=UTC)
    seconds = max(0, round((now - value).total_seconds()))
    return f"{seconds} s ago" if seconds < FRESH else f"{timesince(value, now, depth=1)} ago"
