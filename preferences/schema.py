"""How the routes of consent describe themselves in ``/openapi.json``."""

from collections.abc import Callable
from typing import Any, TypeVar

from contacts.schema import NAMES
from hogsend.api.schema import Answer, Body, component, documented

EXAMPLE = "product-updates"
WHO = {"type": "object", "properties": NAMES}
MEMBERSHIP = component(
    "Membership",
    {
        "type": "object",
        "required": ["list", "subscribed"],
        "properties": {"list": {"type": "string"}, "subscribed": {"type": "boolean"}},
    },
)
NULLABLE_TIME = {"type": ["string", "null"], "format": "date-time"}
FLAGS = {"type": "object", "additionalProperties": {"type": "boolean"}}
PREFERENCES = component(
    "Preferences",
    {
        "type": "object",
        "required": ["unsubscribedAll", "pausedUntil", "lists", "categories", "suppressed"],
        "properties": {
            "unsubscribedAll": {"type": "boolean", "description": "They have left all mail."},
            "pausedUntil": NULLABLE_TIME,
            "lists": {**FLAGS, "description": "Whether mail to each list reaches them, as far as consent decides."},
            "categories": {**FLAGS, "description": "What was chosen, by list or category."},
            "suppressed": {
                "type": ["object", "null"],
                "description": "Why their address is not mailed, whoever owns it.",
                "required": ["reason", "suppressedAt"],
                "properties": {
                    "reason": {"enum": ["bounce", "complaint", "manual", None]},
                    "suppressedAt": NULLABLE_TIME,
                },
            },
        },
    },
)


Method = TypeVar("Method", bound=Callable[..., Any])


def _membership(summary: str, sentence: str, *, subscribed: bool) -> Callable[[Method], Method]:
    return documented(
        summary,
        body=Body(WHO, {"a known person": {"userId": "ada"}, "an address": {"email": "eve@example.com"}}),
        answers=[Answer(200, MEMBERSHIP, sentence, {"done": {"list": EXAMPLE, "subscribed": subscribed}})],
        errors=(404, 503),
    )


SUBSCRIBE = _membership("Put somebody on a list", "They are on the list.", subscribed=True)
UNSUBSCRIBE = _membership("Take somebody off a list", "They are not on the list.", subscribed=False)
READ = documented(
    "Say what somebody allows",
    answers=[Answer(200, PREFERENCES, "What they allow, and what their address is known for.")],
    errors=(404,),
)
RESTATE = documented(
    "Change what somebody allows",
    body=Body(
        {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "unsubscribedAll": {"type": ["boolean", "null"]},
                "pausedUntil": NULLABLE_TIME,
                "lists": FLAGS,
            },
        },
        {"to leave all mail": {"unsubscribedAll": True}, "to join a list": {"lists": {EXAMPLE: True}}},
    ),
    answers=[Answer(200, PREFERENCES, "What they allow from now on.")],
    errors=(404, 503),
)
