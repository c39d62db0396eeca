"""What an adopter declares about a product that sends webhooks."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from events.sources.schemes import Scheme, shared_secret
from hogsend.api.decoding import decode_body
from hogsend.api.errors import ApiError
from hogsend.lib.registry import Registry, declared_at

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
RESERVED = frozenset({"resend"})
SECRET_ENDS = "_WEBHOOK_SECRET"  # noqa: S105 - how the names of secrets end

Shape = TypeVar("Shape")
registry: Registry["WebhookSource"] = Registry("webhook source")


class InvalidPayloadError(Exception):
    """The sender's mistake: the delivery is refused with 400 and this sentence, and nothing is kept.

    Args:
        sentence: what is wrong and what to send instead.
        path: where in the payload, like ``["order", "id"]``.
    """

    def __init__(self, sentence: str, *, path: Sequence[str | int] = ()) -> None:
        super().__init__(sentence)
        self.sentence, self.path = sentence, list(path)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery, as ``translate`` gets it.

    Attributes:
        payload: the body, decoded from JSON.
        headers: by lower-case name, without those that prove the sender or carry secrets.
    """

    payload: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, shape: type[Shape]) -> Shape:
        """Return the payload as a dataclass, a TypedDict or any other annotated type; unknown fields are left out.

        Raises:
            InvalidPayloadError: the payload has another shape; the message says where.

        Example:
            >>> from dataclasses import dataclass
            >>> @dataclass
            ... class Order:
            ...     customer: str
            >>> Incoming({"customer": "ada", "total": 3}).read(Order).customer
            'ada'
        """
        try:
            return decode_body(b"", lambda _: msgspec.convert(self.payload, shape))
        except ApiError as error:
            raise InvalidPayloadError(error.message, path=error.details[0]["path"]) from error


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What somebody did, as ``translate`` returns it.

    Args:
        name: the event's name; the engine's own prefixes (``bucket:``, ``journey:``, ``email.``, ``contact.``) are not
            for webhooks.
        user_id, email, anonymous_id: whose event it is; an event with none of them is skipped. An address that is none
            is left out.
        properties: stay with the event.
        contact_properties: are merged into the person's.
        timestamp: when it happened, ISO 8601 or a datetime, with its offset; one that cannot be read, or lies more than
            a day ahead, is left out, and the event happened when it came.
        idempotency_key: what the sender calls this event; coming again under it, the event changes nothing. Without
            one the delivery's own id is taken where the scheme has one.
    """

    name: str
    _: KW_ONLY
    user_id: str | None = None
    email: str | None = None
    anonymous_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    contact_properties: Mapping[str, Any] | None = None
    timestamp: datetime | str | None = None
    idempotency_key: str | None = None


Translate = Callable[[Incoming], WebhookEvent | Sequence[WebhookEvent] | None]


@dataclass(frozen=True)
class WebhookSource:
    """A product that tells us what people did, at ``POST /v1/webhooks/<id>``. Declaring it registers it.

    Args:
        id: lower-case letters, digits, ``_`` and ``-``; stands in the address.
        translate: makes of one delivery an event, several, or None to skip it. It may run again for the same delivery,
            so it must only read. What it raises keeps the delivery as a dead letter; InvalidPayloadError refuses it.
        verify: how the sender proves itself.
        secret: name of the environment variable with the secret; it ends in ``_WEBHOOK_SECRET``. While the variable is
            unset, the source is closed.
        public: True: the source is open to everybody while it has no secret.
        name, description: what staff reads.

    Raises:
        ValueError: the id has other characters or is one of ours, or there is no secret and the source is not public.
        DuplicateIdError: another source carries the id.
    """

    id: str
    _: KW_ONLY
    translate: Translate
    verify: Scheme = field(default_factory=shared_secret)
    secret: str = ""
    name: str = ""
    description: str = ""
    public: bool = False

    def __post_init__(self) -> None:
        if not ID.fullmatch(self.id):
            sentence = "may hold lower-case letters, digits, '_' and '-' only, 64 at the most; rename the source."
            raise ValueError(f"The webhook source id {self.id!r} {sentence}")
        if self.id in RESERVED:
            raise ValueError(f"The webhook source id {self.id!r} is reserved for the engine; choose another id.")
        if not self.secret and not self.public:
            sentence = (
                "needs secret=, the name of the variable with its secret, or public=True to be open to everybody."
            )
            raise ValueError(f"The webhook source {self.id!r} {sentence}")
        registry.add(self.id, self, declared_at(depth=2))
