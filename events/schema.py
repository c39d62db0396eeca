"""What events look like in the API's document."""

from typing import Any

from hogsend.api.schema import Answer, Body, component

_PROPERTIES: dict[str, Any] = {"type": ["object", "null"]}
_CONTACT_ID = "019a0f6e-3c4b-7a51-9d35-6d0c6f0b7c11"
_STORED = {"stored": True, "exits": [], "contactId": _CONTACT_ID}
_REFUSED: dict[str, Any] = {
    "error": "name is not valid: it is required.",
    "details": [{"path": ["name"], "code": "required", "message": "it is required"}],
}

EVENT = component(
    "Event",
    {
        "type": "object",
        "required": ["name"],
        "anyOf": [{"required": ["userId"]}, {"required": ["email"]}, {"required": ["anonymousId"]}],
        "properties": {
            "name": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": "What happened. Names that begin with bucket:, journey:, email. or contact. are ours.",
            },
            "userId": {"type": ["string", "null"], "maxLength": 255, "description": "Your id of the person."},
            "email": {"type": ["string", "null"], "maxLength": 320, "format": "email"},
            "anonymousId": {"type": ["string", "null"], "maxLength": 255, "description": "A visitor not yet known."},
            "eventProperties": {**_PROPERTIES, "description": "Facts about what happened."},
            "contactProperties": {**_PROPERTIES, "description": "Facts about the person; null removes one."},
            "lists": {
                "type": ["object", "null"],
                "additionalProperties": {"type": "boolean"},
                "description": "Lists by id: true joins, false leaves.",
            },
            "idempotencyKey": {
                "type": ["string", "null"],
                "maxLength": 255,
                "description": "The same key stores the event once.",
            },
            "timestamp": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When it happened, with an offset or Z; now if absent, and at most a day ahead.",
            },
        },
    },
)
RESULT = component(
    "EventResult",
    {
        "type": "object",
        "required": ["stored", "exits", "contactId"],
        "properties": {
            "stored": {"type": "boolean", "description": "False for a key that was seen before."},
            "contactId": {"type": ["string", "null"], "format": "uuid"},
            "exits": {
                "type": "array",
                "description": "The journey runs whose exit this event was considered for.",
                "items": {
                    "type": "object",
                    "required": ["journeyId", "stateId", "exited"],
                    "properties": {
                        "journeyId": {"type": "string"},
                        "stateId": {"type": "string", "format": "uuid"},
                        "exited": {"type": "boolean"},
                    },
                },
            },
            "reason": {"type": "string", "description": "Why it was not stored, when that may surprise."},
            "listsError": {"type": "string", "description": "Why the lists were not changed."},
        },
    },
)
ONE = Body(
    EVENT,
    {
        "a known person": {
            "name": "plan.changed",
            "userId": "ada",
            "eventProperties": {"from": "free", "to": "pro"},
            "contactProperties": {"plan": "pro"},
            "idempotencyKey": "plan-change-4711",
        },
        "a visitor": {"name": "page.viewed", "anonymousId": "v-81f2", "eventProperties": {"path": "/pricing"}},
    },
)
ONE_TAKEN = Answer(
    202,
    RESULT,
    "The event is stored, or was before.",
    {"stored": _STORED, "seen before": {**_STORED, "stored": False}},
)
MANY = Body(
    {"type": "array", "maxItems": 1000, "items": {}},
    {"two events, one of them not good": [{"name": "page.viewed", "userId": "ada"}, {"userId": "ada"}]},
)
MANY_TAKEN = Answer(
    202,
    {"type": "array", "items": {"anyOf": [RESULT, {"$ref": "#/components/schemas/Error"}]}},
    "Each event is answered for itself, in order: a result, or a refusal which touches no other.",
    {"one stored, one refused": [_STORED, _REFUSED]},
)
