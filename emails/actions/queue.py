"""Decide about one message, render it once and record both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from contacts.models import Contact
from contacts.pipeline import call
from emails.actions.compose import compose
from emails.actions.gate import Known, Person, blocked, living_id, person_of
from emails.definitions import TRANSACTIONAL, registry
from emails.models import EmailSend, Origin, Reason, SendStatus
from emails.rules import is_too_soon
from emails.statements import DECIDE, RECORD
from hogsend import doorbell
from hogsend.lib.ids import new_id

_Row = tuple[UUID, str, str, UUID]
_told = msgspec.json.Decoder(tuple[Known | None, _Row | None, datetime | None])
_row = msgspec.json.Decoder(_Row | None)


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
    person, row, last = _hold(request)
    # Before all else: a repeated request must not fail because the e-mail no longer renders.
    if row is not None:
        return _decision(row, duplicate=True)
    if person is None:
        raise Contact.DoesNotExist("There is no such contact; it may have been erased.")
    send = _new_send(request, person, now=now)
    links: dict[str, UUID] = {}
    reason = blocked(person.consent, send, now=now)
    if reason is None and _keeps_distance(request, send.category) and is_too_soon(last, gap=request.gap, now=now):
        reason = Reason.GAP
    if reason is None:
        links = compose(send, person.contact, props=request.props, subject=request.subject)
    else:
        send.status, send.reason = SendStatus.SKIPPED, reason
    return _record(send, links)


def decision_of(send_id: UUID) -> Decision | None:
    """Return what the ledger says about a send by now; None if it is not there."""
    row = EmailSend.objects.filter(id=send_id).values_list("id", "status", "reason", "contact_id").first()
    return None if row is None else _decision(row, duplicate=True)


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(
            "queue_email decides and records in one transaction; call it inside transaction.atomic()."
        )


def _hold(request: SendRequest) -> tuple[Person | None, _Row | None, datetime | None]:
    """Hold the person still and read what decides: who they are by now, what the key stands for, when mail went last.

    A person who was merged is judged, and from now on known, as the one they live on as.
    """
    known, row, last = _asked(request, request.contact_id, merged_too=False)
    if known is None and row is None:
        known, row, last = _asked(request, living_id(request.contact_id), merged_too=True)
    return known and person_of(known), row, last


def _asked(
    request: SendRequest, contact_id: UUID, *, merged_too: bool
) -> tuple[Known | None, _Row | None, datetime | None]:
    without = TRANSACTIONAL if _keeps_distance(request, request.category) else None
    key, asked_by, asked_by_id = request.idempotency_key, request.origin, request.origin_id
    return _told.decode(call(DECIDE, [contact_id.hex, str(merged_too), key, asked_by, asked_by_id, without]))


def _keeps_distance(request: SendRequest, category: str | None) -> bool:
    """Tell whether the time since the last message of the origin counts. What is transactional need not wait."""
    return bool(request.gap) and category != TRANSACTIONAL


def _decision(row: _Row, *, duplicate: bool) -> Decision:
    send_id, status, reason, contact_id = row
    return Decision(send_id, SendStatus(status), Reason(reason) if reason else None, duplicate, contact_id)


def _new_send(request: SendRequest, person: Person, *, now: datetime) -> EmailSend:
    return EmailSend(
        id=request.send_id or new_id(),
        contact_id=person.consent.contact_id,
        idempotency_key=request.idempotency_key,
        origin=request.origin,
        origin_id=request.origin_id,
        run_id=request.run_id,
        email_id=request.email_id,
        category=request.category or registry.get(request.email_id).category,
        from_email=request.from_email or settings.DEFAULT_FROM_EMAIL,
        to_email=request.to_email or person.consent.email or "",
        reply_to=list(request.reply_to),
        skip_preferences=request.skip_preferences,
        send_after=now,
        created_at=now,
    )


def _record(send: EmailSend, links: dict[str, UUID]) -> Decision:
    """Insert the row unless another transaction has just recorded the same key; the constraint decides."""
    values = [*_values(send), json.dumps({str(link_id): url for url, link_id in links.items()})]
    if any("\0" in value for value in values if value):
        raise ValueError("A mail cannot hold NUL characters; clean the text before it is sent.")
    stored = _row.decode(call(RECORD, values))
    if stored is not None:
        return _decision(stored, duplicate=True)
    if send.status == SendStatus.QUEUED:
        doorbell.ring("emails.deliver")
    return _decision((send.id, send.status, send.reason, send.contact_id), duplicate=False)


def _values(send: EmailSend) -> list[str | None]:
    return [
        send.id.hex,
        send.contact_id.hex,
        send.idempotency_key,
        send.origin,
        send.origin_id,
        None if send.run_id is None else str(send.run_id),
        send.email_id,
        send.category,
        send.status,
        send.reason,
        send.from_email,
        send.to_email,
        json.dumps(send.reply_to),
        send.subject,
        send.html,
        send.text,
        json.dumps(send.headers),
        str(send.skip_preferences),
        send.created_at.isoformat(),
    ]
