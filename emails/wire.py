"""Mail as it is asked for on the wire: decoding, refusals that say what to do, and the answer."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
from django.conf import settings

from contacts.rules import Keys, keys_of
from emails.actions import Decision
from emails.definitions import BUILT_IN_CATEGORIES, registry
from emails.models import Reason, SendStatus
from emails.rules import MAX_LINE, domain_of, mailbox, may_write_from
from emails.submission import Submission
from events.rules import MAX_IDEMPOTENCY_KEY, fingerprint
from hogsend.api.authentication import Caller
from hogsend.api.decoding import decode_body, fields_refused
from hogsend.api.errors import ApiError
from hogsend.api.keys import scope_allows
from hogsend.api.models import Scope
from hogsend.lib.fields import MAX_ID, InvalidFieldError, check_address, check_text
from hogsend.lib.ids import new_id
from lists.definitions import registry as lists

MAX_REPLY_TO = 25
NO_IDENTITY = "to or userId is required"
NEEDS_FULL_ADMIN = "skipPreferenceCheck requires a full-admin key"


class EmailBody(msgspec.Struct, rename="camel"):
    """The JSON of one request. Unknown fields are ignored; null means absent."""

    template: str
    to: str | None = None
    user_id: str | None = None
    props: dict[str, Any] | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    subject: str | None = None
    reply_to: str | list[str] | None = None
    category: str | None = None
    skip_preference_check: bool | None = None
    idempotency_key: str | None = None


_email = msgspec.json.Decoder(EmailBody)


@dataclass(frozen=True, slots=True)
class Words:
    """How the ledger's verdict is told: a status, and a reason if there is one."""

    status: str
    reason: str | None = None


def decode_email(body: bytes, *, caller: Caller, idempotency_key: str | None = None) -> Submission:
    """Read one request. A given ``idempotency_key`` (the header) beats the body's; empty means none.

    Raises ApiError: 400 with the field and what to do about it, 403 for what only a full-admin key may ask.
    """
    asked = decode_body(body, _email.decode)
    with fields_refused():
        return _submission(asked, caller, header=idempotency_key)


def answer_body(decision: Decision) -> dict[str, Any]:
    """Build the answer: what the ledger says by now, in the words of the wire."""
    words = words_for(decision.status, decision.reason)
    body = {"emailSendId": str(decision.send_id), "status": words.status, "contactId": str(decision.contact_id)}
    return body if words.reason is None else {**body, "reason": words.reason}


def words_for(status: SendStatus, reason: Reason | None) -> Words:
    """Say where a send stands. Whatever the provider has accepted is sent, whatever became of it then."""
    if status is SendStatus.SKIPPED:
        return Words(_SKIPPED.get(reason, "skipped"), reason.value if reason else None)
    if status is SendStatus.UNKNOWN:
        return Words("unknown", "answer_lost")
    return Words(_PLAIN.get(status, "sent"), reason.value if reason else None)


_SKIPPED: dict[Reason | None, str] = {
    Reason.SUPPRESSED: "suppressed",
    Reason.UNSUBSCRIBED: "unsubscribed",
    Reason.CATEGORY: "unsubscribed",
}
_PLAIN = {SendStatus.QUEUED: "queued", SendStatus.SENDING: "queued", SendStatus.FAILED: "failed"}


def _submission(asked: EmailBody, caller: Caller, *, header: str | None) -> Submission:
    key = asked.idempotency_key if header is None else header
    _check_lengths(asked, key)
    keys, full_admin = keys_of(user_id=asked.user_id, email=asked.to), scope_allows(caller.scopes, Scope.FULL_ADMIN)
    if not keys:
        raise InvalidFieldError(NO_IDENTITY, code="missing_identity")
    if asked.skip_preference_check and not full_admin:
        raise ApiError(403, NEEDS_FULL_ADMIN)
    _check_names(asked)
    check_address(keys.email, field="to")
    return Submission(
        send_id=new_id(),
        keys=keys,
        email_id=asked.template,
        props=asked.props or {},
        reply_to=_reply_to(asked.reply_to),
        from_email=_from(asked.from_, any_domain=full_admin),
        subject=asked.subject or None,
        category=asked.category or None,
        skip_preferences=bool(asked.skip_preference_check),
        asked_by=caller.name,
        tenant=caller.tenant,
        idempotency_key=key or None,
        fingerprint=_fingerprint(asked, keys) if key else b"",
    )


def _check_lengths(asked: EmailBody, key: str | None) -> None:
    for field, text in (("userId", asked.user_id), ("template", asked.template), ("category", asked.category)):
        check_text(text, field=field, limit=MAX_ID)
    check_text(asked.subject, field="subject", limit=MAX_LINE)
    check_text(key, field="idempotencyKey", limit=MAX_IDEMPOTENCY_KEY)


def _check_names(asked: EmailBody) -> None:
    """Refuse a template nobody declared, and a category that no preference could ever speak about."""
    if asked.template not in registry:
        known = [email.id for email in registry]
        raise _unknown("template", asked.template, known)
    if asked.category and asked.category not in BUILT_IN_CATEGORIES and asked.category not in lists:
        raise _unknown("category", asked.category, [*sorted(BUILT_IN_CATEGORIES), *(one.id for one in lists)])


def _unknown(field: str, name: str, known: list[str]) -> InvalidFieldError:
    near = get_close_matches(name, known, n=1)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    return InvalidFieldError(f"Unknown {field}: {name}{hint}", path=[field], code="unknown")


def _from(text: str | None, *, any_domain: bool) -> str | None:
    if not text:
        return None
    sender = mailbox(text, path=["from"])
    domains = {domain_of(settings.DEFAULT_FROM_EMAIL), *settings.HOGSEND_FROM_DOMAINS}
    if not any_domain and not may_write_from(sender, domains=domains):
        raise ApiError(
            403,
            f"This key may not send from {domain_of(sender)}; use an address at {' or '.join(sorted(domains))}, "
            "add the domain to HOGSEND_FROM_DOMAINS, or use a full-admin key.",
        )
    return sender


def _reply_to(given: str | list[str] | None) -> tuple[str, ...]:
    if not given:
        return ()
    if isinstance(given, str):
        return (mailbox(given, path=["replyTo"]),)
    if len(given) > MAX_REPLY_TO:
        sentence = f"replyTo holds at most {MAX_REPLY_TO} addresses; send fewer."
        raise InvalidFieldError(sentence, path=["replyTo"], code="too_many")
    return tuple(mailbox(one, path=["replyTo", position]) for position, one in enumerate(given))


def _fingerprint(asked: EmailBody, keys: Keys) -> bytes:
    meaning = msgspec.to_builtins(asked)
    del meaning["idempotencyKey"]
    return fingerprint({**meaning, "to": keys.email, "userId": keys.external})
