"""PostHog, as far as time zones need it: where somebody's clocks stand, asked for at most once a day."""

from dataclasses import dataclass
from typing import Any, Final

import requests
import structlog
from django.conf import settings
from django.core.cache import cache
from posthog.request import determine_app_host
from redis import RedisError

from contacts.models import Contact

TIMEOUT: Final = 2.0  # seconds; a run waits for it
ONE_DAY: Final = 24 * 3600
PAUSE: Final = 60  # seconds in which nobody asks again after a failure
AWAY: Final = "posthog:away"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What PostHog holds of somebody: the zone that their device names, and the zone of the place they came from."""

    timezone: Any = None
    geoip: Any = None


def whereabouts_of(contact: Contact) -> Whereabouts:
    """Ask PostHog where somebody is; nothing is known when that was done today, and when it does not answer well.

    Never raises. After a failure nobody is asked for during a minute, so an outage holds up one run and not each.
    """
    if not settings.POSTHOG_PERSONAL_API_KEY:
        return Whereabouts()
    try:
        return _answer(contact) if _turn(contact) else Whereabouts()
    except (RedisError, OSError) as error:
        log.warning("journeys.whereabouts_unasked", contact_id=str(contact.pk), error=str(error))
        return Whereabouts()


def _turn(contact: Contact) -> bool:
    """Claim today's question about this person; False if it was asked, or PostHog has failed in this minute."""
    return cache.get(AWAY) is None and cache.add(f"posthog:whereabouts:{contact.pk}", 1, timeout=ONE_DAY)


def _answer(contact: Contact) -> Whereabouts:
    try:
        return _asked(contact.key)
    except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("journeys.whereabouts_unknown", contact_id=str(contact.pk), error=_why(error))
        cache.set(AWAY, 1, timeout=PAUSE)
        return Whereabouts()


def _asked(distinct_id: str) -> Whereabouts:
    answer = requests.get(
        f"{determine_app_host(settings.POSTHOG_HOST)}/api/persons/",
        params={"distinct_id": distinct_id},
        headers={"Authorization": f"Bearer {settings.POSTHOG_PERSONAL_API_KEY}"},
        timeout=TIMEOUT,
        allow_redirects=False,
    )
    answer.raise_for_status()
    people = answer.json()["results"]
    known = people[0]["properties"] if people else {}
    return Whereabouts(known.get("$timezone"), known.get("$geoip_time_zone"))


def _why(error: Exception) -> str:
    """Say what went wrong without the address, in which the person stands."""
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"PostHog answered {response.status_code}"
