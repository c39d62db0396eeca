"""What the command line says about an event, as the body that the API takes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class EventArgumentError(ValueError):
    """An argument cannot be understood; the message says how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventArguments:
    """The arguments of ``manage.py send_event``, as they were typed."""

    name: str
    user_id: str | None = None
    email: str | None = None
    anonymous_id: str | None = None
    timestamp: str | None = None
    idempotency_key: str | None = None
    props: Sequence[str] = field(default=())
    contact_props: Sequence[str] = field(default=())


def event_document(given: EventArguments) -> dict[str, Any]:
    """Return the body for ``POST /v1/events``, without what was not given. Raises EventArgumentError."""
    if not (given.user_id or given.email or given.anonymous_id):
        raise EventArgumentError("Say whose event it is: --user-id, --email or --anonymous-id.")
    body = {
        "name": given.name,
        "userId": given.user_id,
        "email": given.email,
        "anonymousId": given.anonymous_id,
        "timestamp": given.timestamp,
        "idempotencyKey": given.idempotency_key,
        "eventProperties": properties(given.props, option="--prop"),
        "contactProperties": properties(given.contact_props, option="--contact-prop"),
    }
    return {name: value for name, value in body.items() if value not in (None, {})}


def properties(pairs: Sequence[str], *, option: str) -> dict[str, Any]:
    """Read ``name=value`` pairs: a value that is JSON is taken as such, anything else is text.

    Example:
        >>> properties(["plan=pro", "seats=5", 'code="5"'], option="--prop")
        {'plan': 'pro', 'seats': 5, 'code': '5'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise EventArgumentError(f"{option} is {pair!r}; write it as name=value.")
        try:
            found[name] = json.loads(text, parse_constant=_refuse)
        except ValueError:
            found[name] = text
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
