"""What requests and events say about lists: which of it can be done, and why the rest cannot."""

from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID

from hogsend.api.errors import ApiError, Detail
from lists.queries import refusal_of
from preferences.models import ConsentChange
from preferences.rules import Choice

NO_EMAIL = "Contact has no email; cannot manage list membership"


def refusals_of(lists: Mapping[str, bool]) -> dict[str, str]:
    """Say by list id why what was said about it cannot be done; what can be done is missing."""
    why_not = {name: refusal_of(name, subscribed=subscribed) for name, subscribed in lists.items()}
    return {name: sentence for name, sentence in why_not.items() if sentence}


def require_possible(lists: Mapping[str, bool]) -> None:
    """Raise ApiError 400, which names every list that cannot be changed as asked."""
    refused = refusals_of(lists)
    details: list[Detail] = [
        {"path": ["lists", name], "code": "not_possible", "message": sentence} for name, sentence in refused.items()
    ]
    if details:
        raise ApiError(HTTPStatus.BAD_REQUEST, " ".join(refused.values()), details)


def require_address(*, reachable: bool) -> None:
    """Raise ApiError 400 for somebody who could not get the mail of any list."""
    if not reachable:
        detail: Detail = {"path": ["email"], "code": "required", "message": NO_EMAIL}
        raise ApiError(HTTPStatus.BAD_REQUEST, NO_EMAIL, [detail])


def choices_of(contact_id: UUID, lists: Mapping[str, bool], *, door: str) -> list[Choice]:
    """Turn what was said about lists into choices."""
    known = ConsentChange.Door(door).value
    return [Choice(contact_id, name, subscribed, known) for name, subscribed in lists.items()]
