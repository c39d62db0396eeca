"""How the routes of contacts describe themselves in ``/openapi.json``."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from hogsend.api.schema import Answer, Body, component, documented
from hogsend.lib.fields import MAX_ID

NAMES: dict[str, Any] = {
    "email": {"type": ["string", "null"], "format": "email"},
    "userId": {"type": ["string", "null"], "maxLength": MAX_ID, "description": "The id that your product gives them."},
    "anonymousId": {"type": ["string", "null"], "maxLength": MAX_ID},
}
NULLABLE_TEXT = {"type": ["string", "null"]}
TIME = {"type": "string", "format": "date-time"}
CONTACT = component(
    "Contact",
    {
        "type": "object",
        "required": ["id", "externalId", "email", "properties", "firstSeenAt", "lastSeenAt", "createdAt", "updatedAt"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "externalId": NULLABLE_TEXT,
            "email": NULLABLE_TEXT,
            "anonymousId": NULLABLE_TEXT,
            "timezone": NULLABLE_TEXT,
            "properties": {"type": "object"},
            **dict.fromkeys(["firstSeenAt", "lastSeenAt", "createdAt", "updatedAt"], TIME),
        },
    },
)
KEY = {
    "type": "object",
    "required": ["kind", "value"],
    "properties": {"kind": {"enum": ["external", "email", "anonymous"]}, "value": {"type": "string"}},
}
IDENTIFIED = component(
    "IdentifiedContact",
    {
        "type": "object",
        "required": ["id", "created", "linked"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "created": {"type": "boolean"},
            "linked": {"type": "boolean", "description": "The contact was known."},
            "conflicts": {
                "type": "array",
                "items": KEY,
                "description": "Keys that belong to another contact and stay there.",
            },
        },
    },
)
UPSERT = documented(
    "Create or change a contact",
    body=Body(
        {
            "type": "object",
            "properties": {
                **NAMES,
                "properties": {
                    "type": ["object", "null"],
                    "description": "Merged into the contact's, name by name; a null removes the property.",
                },
                "lists": {"type": ["object", "null"], "additionalProperties": {"type": "boolean"}},
                "timezone": {
                    "type": ["string", "null"],
                    "description": "Where their clocks stand, as an IANA name like Europe/Berlin; their own word.",
                },
            },
        },
        {
            "somebody new": {"userId": "eve", "email": "eve@example.com", "properties": {"plan": "trial"}},
            "a known contact": {"userId": "ada", "properties": {"plan": "pro"}},
        },
    ),
    answers=[Answer(200, IDENTIFIED, "The contact as it is found from now on.")],
    errors=(503,),
)
FIND = documented(
    "Find contacts by key",
    parameters=[
        OpenApiParameter(name, {"type": "string"}, description=text)
        for name, text in (
            ("email", "An address, also one that they had before."),
            ("userId", "An id of your product, also one that a merge has retired."),
            ("anonymousId", "An anonymous id."),
        )
    ],
    answers=[
        Answer(
            200,
            {
                "type": "object",
                "required": ["contacts"],
                "properties": {"contacts": {"type": "array", "items": CONTACT}},
            },
            "None, one, or one for each key.",
        )
    ],
    errors=(400,),
)
DELETE = documented(
    "Delete a contact",
    body=Body({"type": "object", "properties": NAMES}, {"a known contact": {"userId": "ada"}}),
    answers=[
        Answer(
            200,
            {"type": "object", "required": ["deleted"], "properties": {"deleted": {"const": True}}},
            "Its keys are free, its journeys have ended, its unsent mail is cancelled.",
        )
    ],
    errors=(404, 409, 503),
)
