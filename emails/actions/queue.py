"""Decide about one message, render it once and record both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from contacts.models import Contact
from emails.actions.gate import blocked, lock_consent
from emails.definitions import TRANSACTIONAL, registry
from emails.instrument import instrument
from emails.message import build_message
from emails.models import EmailSend, Origin, Reason, SendStatus, TrackedLink
from emails.queries import last_of_origin
from emails.render import MailLinks, Recipient, RenderError, render
from emails.rules import first_name, is_too_soon
from hogsend import doorbell
from hogsend.lib.ids import new_id
from preferences.links import preferences_url, unsubscribe_url


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """One message somebody asks for. Of the e-mail's own words only those given here are replaced.

    Attributes:
        send_id: The id the send shall have, if somebody must know it before.
        to_email: Where it goes, trimmed and lower-cased, if not to the person's own address.
        gap: The least time since the last message of the same origin to this person.
    """

    contact_id: UUID
    send_id: UUID | None = None
    to_email: str | None = None
    email_id: str
    origin: Origin
    origin_id: str = ""
    run_id: UUID | None = None
    idempotency_key: str | None = None
    props: Mapping[str, Any] = field(default_factory=dict)
    category: str | None = None
    subject: str | None = None
    from_email: str | None = None
    reply_to: tuple[str, ...] = ()
    skip_preferences: bool = False
    gap: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the ledger says about a request: its row's present status, and the reason if it was not sent."""

    send_id: UUID
    status: SendStatus
    reason: Reason | None
    duplicate: bool
    contact_id: UUID


def queue_email(request: SendRequest, *, now: datetime) -> Decision:
    """Decide whether the message may be sent, render it and record it, all in the caller's transaction.

    The verdict is a row either way. A request whose ``idempotency_key`` is in the ledger writes nothing and gets
    that row's present status, whoever it was for. Raises UnknownIdError, Contact.DoesNotExist, RenderError (then
    nothing is recorded), and TransactionManagementError outside a transaction.
    """
    _require_transaction()
    consent = lock_consent(request.contact_id)
    known = _known(request.idempotency_key)
    if known is not None:
        return _decision(known, duplicate=True)
    contact = Contact.objects.get(id=consent.contact_id)
    send = _new_send(request, contact, to_email=request.to_email or consent.email or "", now=now)
    links: dict[str, UUID] = {}
    reason = blocked(consent, send, now=now) or _too_soon(send, request.gap, now)
    if reason is None:
        links = _write(send, request, contact)
    else:
        send.status, send.reason = SendStatus.SKIPPED, reason
    return _record(send, links)


def decision_of(send_id: UUID) -> Decision | None:
    """Return what the ledger says about a send by now; None if it is not there."""
    send = _verdicts().filter(id=send_id).first()
    return None if send is None else _decision(send, duplicate=True)


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(
            "queue_email decides and records in one transaction; call it inside transaction.atomic()."
        )


def _known(key: str | None) -> EmailSend | None:
    """Look the key up first: a repeated request must not fail because the e-mail no longer renders."""
    return None if key is None else _verdicts().filter(idempotency_key=key).first()


def _verdicts() -> QuerySet[EmailSend]:
    """Rows without what was written: a mail is long, its verdict short."""
    return EmailSend.objects.only("id", "status", "reason", "contact_id")


def _decision(send: EmailSend, *, duplicate: bool) -> Decision:
    reason = Reason(send.reason) if send.reason else None
    return Decision(send.id, SendStatus(send.status), reason, duplicate, send.contact_id)


def _new_send(request: SendRequest, contact: Contact, *, to_email: str, now: datetime) -> EmailSend:
    return EmailSend(
        id=request.send_id or new_id(),
        contact=contact,
        idempotency_key=request.idempotency_key,
        origin=request.origin,
        origin_id=request.origin_id,
        run_id=request.run_id,
        email_id=request.email_id,
        category=request.category or registry.get(request.email_id).category,
        from_email=request.from_email or settings.DEFAULT_FROM_EMAIL,
        to_email=to_email,
        reply_to=list(request.reply_to),
        skip_preferences=request.skip_preferences,
        send_after=now,
        created_at=now,
    )


def _too_soon(send: EmailSend, gap: timedelta, now: datetime) -> Reason | None:
    """Keep the least time between two messages of one origin. What is transactional neither waits nor is waited for."""
    if not gap or send.category == TRANSACTIONAL:
        return None
    last = last_of_origin(
        contact_id=send.contact_id, origin=send.origin, origin_id=send.origin_id, without=TRANSACTIONAL
    )
    return Reason.GAP if is_too_soon(last, gap=gap, now=now) else None


def _write(send: EmailSend, request: SendRequest, contact: Contact) -> dict[str, UUID]:
    """Render the message into its row, its links leading through us. Return the links."""
    links = _links(send, contact)
    person = Recipient(send.to_email, first_name(request.props, contact.properties), contact.properties)
    rendered = render(send.email_id, props=request.props, links=links, contact=person, subject=request.subject)
    instrumented = instrument(rendered.html, send_id=send.id, links=links)
    send.subject, send.text, send.html = rendered.subject, rendered.text, instrumented.html
    send.headers = _headers(send, links)
    _prove_sendable(send)
    return instrumented.links


def _links(send: EmailSend, contact: Contact) -> MailLinks:
    key, email = contact.key, send.to_email
    return MailLinks(
        unsubscribe_url(contact_key=key, email=email, category=send.category, send_id=send.id, contact_id=contact.id),
        preferences_url(contact_key=key, email=email, contact_id=contact.id),
    )


def _headers(send: EmailSend, links: MailLinks) -> dict[str, str]:
    headers = {"X-Hogsend-Send": str(send.id)}
    if send.category != TRANSACTIONAL:
        headers["List-Unsubscribe"] = f"<{links.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _prove_sendable(send: EmailSend) -> None:
    """Refuse now what could never be handed over, such as a sender that would begin a header of its own."""
    try:
        build_message(send).message()
    except (ValueError, UnicodeError) as error:
        raise RenderError(f"The e-mail {send.email_id!r} cannot be sent as a message: {error}") from error


def _record(send: EmailSend, links: dict[str, UUID]) -> Decision:
    """Insert the row unless another transaction has just recorded the same key; the constraint decides."""
    EmailSend.objects.bulk_create([send], ignore_conflicts=True)
    stored = send if send.idempotency_key is None else _verdicts().get(idempotency_key=send.idempotency_key)
    if stored.id != send.id:
        return _decision(stored, duplicate=True)
    TrackedLink.objects.bulk_create(
        [TrackedLink(id=link_id, send=send, url=url, created_at=send.created_at) for url, link_id in links.items()]
    )
    if send.status == SendStatus.QUEUED:
        doorbell.ring("emails.deliver")
    return _decision(send, duplicate=False)
