"""What happens to the rows of this app when something happens to a person (contacts/following.py)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.definitions import Erasure, Merge
from emails.actions import cancel_sends, forget_sends, move_sends, return_sends
from emails.models import EmailSend
from emails.queries import sends_of
from hogsend.lib.wire import wire_time

APP = "emails"


def contacts_merged(merge: Merge) -> None:
    """What was written to the absorbed was written to the survivor."""
    moved = move_sends(source=merge.absorbed_id, target=merge.survivor_id, now=merge.now)
    merge.moved[APP] = [str(send_id) for send_id in moved]


def merge_undone(merge: Merge) -> None:
    """The absorbed gets back what was written to them before the merge."""
    moved = [UUID(send_id) for send_id in merge.moved[APP]]
    return_sends(source=merge.survivor_id, target=merge.absorbed_id, send_ids=moved, now=merge.now)


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Nobody is written to who is gone."""
    cancel_sends(contact_ids, now=now)


def contacts_erased(erasure: Erasure) -> None:
    """A mail is full of its recipient, also when they had its address as somebody else before."""
    erasure.removed["emails.EmailSend"] += forget_sends(erasure.contact_ids, addresses=erasure.emails)


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """All that was written to somebody, and what was decided not to be."""
    return {APP: [_exported(send) for send in sends_of(contact_id).prefetch_related("links")]}


def _exported(send: EmailSend) -> dict[str, Any]:
    return {
        "id": str(send.id),
        "template": send.email_id,
        "category": send.category,
        "askedBy": {"kind": send.origin, "id": send.origin_id, "runId": send.run_id and str(send.run_id)},
        "consentWaived": send.skip_preferences,
        "from": send.from_email,
        "to": send.to_email,
        "replyTo": send.reply_to,
        "headers": send.headers,
        "subject": send.subject,
        "text": send.text,
        "html": send.html,
        "status": send.status,
        "reason": send.reason or None,
        "error": send.error or None,
        "bounceType": send.bounce_type or None,
        "providerMessageId": send.provider_message_id,
        **_times(send),
        "links": [{"url": link.url, "clicks": link.click_count} for link in send.links.all()],
    }


def _times(send: EmailSend) -> dict[str, str | None]:
    return {
        "createdAt": wire_time(send.created_at),
        "handedOverAt": wire_time(send.provider_started_at),
        "sentAt": wire_time(send.sent_at),
        "deliveredAt": wire_time(send.delivered_at),
        "openedAt": wire_time(send.opened_at),
        "clickedAt": wire_time(send.clicked_at),
        "bouncedAt": wire_time(send.bounced_at),
        "complainedAt": wire_time(send.complained_at),
    }
