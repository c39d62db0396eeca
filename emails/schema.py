"""How POST /v1/emails describes itself in ``/openapi.json``."""

from typing import Any

from emails.rules import MAX_LINE
from hogsend.api.schema import IDEMPOTENCY_KEY, Answer, Body, component, documented
from hogsend.lib.fields import MAX_ID

STATUSES = ["queued", "sent", "suppressed", "unsubscribed", "skipped", "failed", "unknown"]
REASONS = (
    "Why it was not sent, or why nobody knows: suppressed, unsubscribed, category_opted_out, paused, no_address, "
    "contact_deleted, refused, gave_up, answer_lost."
)
SEND_ID = "0198c0de-0000-7000-8000-000000000000"


def _text(description: str, limit: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"], "description": description}
    return schema if limit is None else {**schema, "maxLength": limit}


ACCEPTED = component(
    "AcceptedEmail",
    {
        "type": "object",
        "required": ["emailSendId", "status", "contactId"],
        "properties": {
            "emailSendId": {"type": "string", "format": "uuid"},
            "status": {
                "enum": STATUSES,
                "description": "Where the mail stands by now; what the provider has accepted is sent.",
            },
            "reason": {"type": "string", "description": REASONS},
            "contactId": {"type": "string", "format": "uuid"},
        },
    },
)
BODY = {
    "type": "object",
    "required": ["template"],
    "properties": {
        "to": {**_text("The address; decides alone who is meant."), "format": "email"},
        "userId": _text("The id that your product gives the person; needed without `to`.", MAX_ID),
        "template": {"type": "string", "maxLength": MAX_ID, "description": "The id of a declared e-mail."},
        "props": {"type": ["object", "null"], "description": "What the templates are given."},
        "from": _text("Replaces the sender: an address, or a name with one.", MAX_LINE),
        "subject": _text("Replaces the subject.", MAX_LINE),
        "replyTo": {"type": ["string", "array", "null"], "items": {"type": "string"}, "description": "Up to 25."},
        "category": _text("Replaces the e-mail's category: transactional, journey or the id of a list.", MAX_ID),
        "skipPreferenceCheck": {
            "type": ["boolean", "null"],
            "description": "Waives the person's choices and the suppression; needs a key with full-admin.",
        },
        "idempotencyKey": _text("As the header, which beats it.", 255),
    },
}
SEND = documented(
    "Send one e-mail",
    body=Body(
        BODY,
        {
            "to an address": {"to": "ada@example.com", "template": "welcome", "props": {"firstName": "Ada"}},
            "to a known person": {"userId": "ada", "template": "welcome", "subject": "Welcome back"},
        },
    ),
    answers=[
        Answer(
            202,
            ACCEPTED,
            "It is decided and recorded.",
            {"queued": {"emailSendId": SEND_ID, "status": "queued", "contactId": SEND_ID}},
        )
    ],
    errors=(404, 409, 503),
    parameters=(IDEMPOTENCY_KEY,),
)
