"""How the route of lists describes itself in ``/openapi.json``."""

from hogsend.api.schema import Answer, component, documented

LIST = component(
    "List",
    {
        "type": "object",
        "required": ["id", "name", "defaultOptIn"],
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "description": {"type": "string"},
            "defaultOptIn": {"type": "boolean", "description": "True: everybody is on it until they leave."},
        },
    },
)
CATALOGUE = documented(
    "Say which lists there are",
    answers=[
        Answer(
            200,
            {"type": "object", "required": ["lists"], "properties": {"lists": {"type": "array", "items": LIST}}},
            "The lists that are switched on, in the order of declaration.",
            {"one list": {"lists": [{"id": "news", "name": "News", "defaultOptIn": True}]}},
        )
    ],
)
