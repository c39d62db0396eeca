"""Preferences as they look on the wire: decoding, refusals that say what to do, and answers."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from hogsend.api.decoding import decode_body
from hogsend.api.errors import ApiError
from hogsend.lib.wire import wire_time
from lists.queries import shown_lists
from preferences.actions import Wishes
from preferences.memberships import require_possible
from preferences.queries import suppression_of
from preferences.rules import Consent

NOTHING_ASKED = "Nothing is asked; give unsubscribedAll, pausedUntil or lists."
NOT_LATER = "pausedUntil must lie in the future; null ends a pause."
NO_MOMENT = "pausedUntil must be an ISO 8601 time with an offset, like 2026-01-31T12:00:00Z, or null."


class PreferenceBody(msgspec.Struct, rename="camel"):
    """The JSON of a change. Unknown fields are ignored."""

    unsubscribed_all: bool | None = None
    paused_until: str | msgspec.UnsetType | None = msgspec.UNSET
    lists: dict[str, bool] | None = None


_change = msgspec.json.Decoder(PreferenceBody)


def decode_wishes(body: bytes, *, now: datetime) -> Wishes:
    """Read a change of somebody's preferences. Raises ApiError 400 with the field and what to do about it."""
    read = decode_body(body, _change.decode)
    pauses = read.paused_until is not msgspec.UNSET
    if read.unsubscribed_all is None and not read.lists and not pauses:
        raise ApiError(400, NOTHING_ASKED, [{"path": [], "code": "required", "message": NOTHING_ASKED}])
    lists = read.lists or {}
    require_possible(lists)
    until = _moment(read.paused_until, now=now) if isinstance(read.paused_until, str) else None
    return Wishes(read.unsubscribed_all, lists, pauses, until)


def preference_body(consent: Consent) -> dict[str, Any]:
    """Build the JSON of what somebody allows."""
    found = suppression_of(consent.email)
    on = {item.id: not consent.unsubscribed_all and consent.allows(item.id) for item in shown_lists()}
    return {
        "unsubscribedAll": consent.unsubscribed_all,
        "pausedUntil": wire_time(consent.paused_until),
        "lists": on,
        "categories": dict(consent.categories),
        "suppressed": found and {"reason": found.reason, "suppressedAt": wire_time(found.since)},
    }


def _moment(text: str, *, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)  # the last hours of the year 9999 may be none in UTC
    except (ValueError, OverflowError) as error:
        raise _refusal(NO_MOMENT, code="invalid_format") from error
    if moment.tzinfo is None:
        raise _refusal(NO_MOMENT, code="invalid_format")
    if moment <= now:
        raise _refusal(NOT_LATER, code="past")
    return moment


def _refusal(sentence: str, *, code: str) -> ApiError:
    return ApiError(400, sentence, [{"path": ["pausedUntil"], "code": code, "message": sentence}])
