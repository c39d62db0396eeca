"""PostHog, as far as the mirror needs it: properties of many people, set and unset by one request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from posthog.request import APIError, batch_post, determine_server_host
from requests import RequestException, Response

TIMEOUT = 10.0  # seconds
# PostHog finds fault with what it was sent; other faults are those of the moment, or of the key.
OF_CONTENT = frozenset({400, 413, 422})
LONGEST_WORD = 500


@dataclass(slots=True)
class Truth:
    """What is true of one person: the properties that say so of a bucket they are in, and those of the others."""

    distinct_id: str
    inside: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)


class NotAcceptedError(Exception):
    """PostHog did not take what it was told; the sentence says why, without the API key."""

    def __init__(self, why: str, *, wait: timedelta | None = None, of_content: bool = False) -> None:
        told = why.replace(settings.POSTHOG_API_KEY, "…").replace("\x00", "")
        super().__init__(" ".join(told.split())[:LONGEST_WORD])
        self.wait = wait
        self.of_content = of_content


def tell(truths: Sequence[Truth], *, now: datetime) -> None:
    """Set and unset the properties of people and wait until PostHog has taken all of it.

    Raises NotAcceptedError; part of it may have arrived all the same. Telling it again changes nothing.
    """
    # The package's client would hand these to a thread of its own, which drops what it cannot deliver.
    try:
        answer: Response = batch_post(
            settings.POSTHOG_API_KEY,
            host=determine_server_host(settings.POSTHOG_HOST),
            gzip=True,
            timeout=TIMEOUT,
            batch=[_event(one, now) for one in truths],
        )
    except APIError as error:
        asked = error.retry_after or 0.0
        wait = timedelta(seconds=min(asked, 3600)) if asked > 0 else None
        refused = f"{error.status}: {error.message}"
        raise NotAcceptedError(refused, wait=wait, of_content=error.status in OF_CONTENT) from error
    except RequestException as error:
        raise NotAcceptedError(f"PostHog cannot be reached; check POSTHOG_HOST. ({error})") from error
    _require_taken(answer)


def _event(truth: Truth, now: datetime) -> dict[str, Any]:
    # Otherwise PostHog takes the place of this server for the place where the person lives.
    properties: dict[str, Any] = {"$geoip_disable": True}
    if truth.inside:
        properties["$set"] = dict.fromkeys(sorted(truth.inside), True)
    if truth.outside:
        properties["$unset"] = sorted(truth.outside)
    return {"event": "$set", "distinct_id": truth.distinct_id, "timestamp": now, "properties": properties}


def _require_taken(answer: Response) -> None:
    """Raise if a good answer is none: one to a redirected request, or of a project that is over its quota."""
    if answer.history:
        raise NotAcceptedError(f"PostHog is at {answer.url}; set POSTHOG_HOST to what that begins with.")
    try:
        said = answer.json()
    except ValueError:
        raise NotAcceptedError(f"{answer.url} does not answer as PostHog does; check POSTHOG_HOST.") from None
    if isinstance(said, dict) and "events" in (said.get("quota_limited") or ()):
        raise NotAcceptedError("The project in PostHog is over its quota of events; raise it there.")
