"""PostHog: hand events over to it, and what its answers mean."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.conf import settings
from posthog.request import APIError, batch_post, determine_server_host
from requests import RequestException, Response

TIMEOUT = 10.0  # seconds
REQUESTS = 20  # enough to find the one row among 500 that PostHog finds fault with
# PostHog finds fault with what it was sent; other faults are those of the moment, or of the key.
OF_CONTENT = frozenset({400, 413, 422})
LONGEST_WORD = 500

Row = TypeVar("Row")


class NotAcceptedError(Exception):
    """PostHog did not take what it was told; the sentence says why, without the API key."""

    def __init__(self, why: str, *, wait: timedelta | None = None, of_content: bool = False) -> None:
        told = why.replace(settings.POSTHOG_API_KEY, "…").replace("\x00", "")
        super().__init__(" ".join(told.split())[:LONGEST_WORD])
        self.wait = wait
        self.of_content = of_content


@dataclass(slots=True)
class Told(Generic[Row]):
    """Which rows PostHog has taken, which not, and the last reason for that."""

    taken: list[Row] = field(default_factory=list)
    refused: list[Row] = field(default_factory=list)
    why: NotAcceptedError | None = None


def send(batch: Sequence[dict[str, Any]], *, timeout: float = TIMEOUT) -> None:
    """Hand over a batch of events and wait until PostHog has taken all of it.

    Raises NotAcceptedError; part of it may have arrived all the same.
    """
    # The package's client would hand these to a thread of its own, which drops what it cannot deliver.
    try:
        answer: Response = batch_post(
            settings.POSTHOG_API_KEY,
            host=determine_server_host(settings.POSTHOG_HOST),
            gzip=True,
            timeout=timeout,
            batch=list(batch),
        )
    except APIError as error:
        asked = error.retry_after or 0.0
        wait = timedelta(seconds=min(asked, 3600)) if asked > 0 else None
        refused = f"{error.status}: {error.message}"
        raise NotAcceptedError(refused, wait=wait, of_content=error.status in OF_CONTENT) from error
    except RequestException as error:
        raise NotAcceptedError(f"PostHog cannot be reached; check POSTHOG_HOST. ({error})") from error
    _require_taken(answer)


def tell_all(rows: Sequence[Row], tell: Callable[[Sequence[Row]], None]) -> Told[Row]:
    """Tell all rows in one request; when PostHog finds fault with it, in halves, so that one row holds up no others."""
    told, requests = Told[Row](), 0
    parts = deque([rows] if rows else [])
    while parts:
        part, requests = parts.popleft(), requests + 1
        try:
            tell(part)
        except NotAcceptedError as error:
            if error.of_content and len(part) > 1 and requests < REQUESTS:
                parts += part[: len(part) // 2], part[len(part) // 2 :]
                continue
            told.why = error
            told.refused += part
            if not error.of_content:
                told.refused += [row for left in parts for row in left]
                break
        else:
            told.taken += part
    return told


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
