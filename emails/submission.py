"""A mail as it was asked for over the API, and why it may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contacts.rules import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request that was decoded and found good. It has its send's id at once: a second try is the same mail.

    Attributes:
        keys: Whom the mail is for. With an address, the mail goes to that address.
        asked_by: The name of the API key.
        fingerprint: Tells whether another request with the same idempotency key means the same mail.
    """

    send_id: UUID
    keys: Keys
    email_id: str
    props: Mapping[str, Any] = field(default_factory=dict)
    from_email: str | None = None
    subject: str | None = None
    reply_to: tuple[str, ...] = ()
    category: str | None = None
    skip_preferences: bool = False
    asked_by: str = ""
    tenant: str = "main"
    idempotency_key: str | None = None
    fingerprint: bytes = b""


class RefusedError(Exception):
    """A mail that cannot be decided about; nothing was recorded. The message says what to do."""


class NoRecipientError(RefusedError):
    """Nobody has this user id, or nobody knows their address."""

    def __init__(self) -> None:
        super().__init__(
            "No resolvable email for recipient: no contact with this userId has an e-mail address; "
            "give the address as `to`, or identify the contact first."
        )


class TwoPeopleError(RefusedError):
    """The address and the user id belong to different people."""

    def __init__(self) -> None:
        super().__init__(
            "to and userId belong to different contacts; send only the one you mean, or identify them as one first."
        )


class OtherRequestError(RefusedError):
    """The idempotency key stands for another request."""

    def __init__(self) -> None:
        super().__init__("This idempotency key was used before for a different e-mail; use a new key for a new e-mail.")


class ForgottenSendError(RefusedError):
    """The idempotency key stands for a send that is not kept any more."""

    def __init__(self) -> None:
        super().__init__("The e-mail of this idempotency key is not kept any more; use a new key to send it again.")
