from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from contacts.actions import lock_contacts
from emails.actions import count_click, note_click, note_open
from emails.models import EmailSend, TrackedLink
from events.actions import emit_events
from events.definitions import NewEvent
from tracking.models import Hit, HitKind, Visitor
from tracking.rules import Verdict, judge

LONGEST_AGENT = 512
PATIENCE = "set local lock_timeout = '2s'"  # somebody waits for the page behind the link


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as it came: who asked, from where and how. Header names are in lower case."""

    method: str = "GET"
    user_agent: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ip: str | None = None


@transaction.atomic
def record_hit(*, send: EmailSend, link: TrackedLink | None = None, visit: Visit, now: datetime) -> Verdict:
    """Keep a click on ``link``, or an open of ``send`` when there is none, with the verdict on who made it.

    Only what may be a person counts for the mail and is told as an event: each human click, and the first open that
    is not a machine's. Every call is a hit of its own. Raises OperationalError when the person's rows stay locked.
    """
    verdict = _judge(send, link=link, visit=visit, now=now)
    hit = Hit.objects.create(
        send=send,
        link=link,
        kind=HitKind.CLICK if link else HitKind.OPEN,
        visitor=verdict.visitor,
        evidence=verdict.evidence,
        ip=visit.ip,
        user_agent=_bounded(visit.user_agent),
        created_at=now,
    )
    if verdict.visitor != Visitor.MACHINE.value:
        _engage(send, link=link, hit_id=hit.id, now=now)
    if link is not None:
        count_click(link_id=link.id)
    return verdict


def _judge(send: EmailSend, *, link: TrackedLink | None, visit: Visit, now: datetime) -> Verdict:
    # The answer of the provider may be on its way, or lost, while the mail is read.
    sent_at = send.sent_at or send.provider_started_at or send.created_at
    return judge(
        kind="click" if link else "open",
        method=visit.method,
        user_agent=visit.user_agent,
        headers=visit.headers,
        since_sent=max(now - sent_at, timedelta()),
    )


def _engage(send: EmailSend, *, link: TrackedLink | None, hit_id: UUID, now: datetime) -> None:
    """Note that somebody may have read the mail; under the person's lock, so that one open is the first."""
    contact_id = _lock_person(send.contact_id)
    if link is not None:
        note_click(send_id=send.id, now=now)
        news = {"linkUrl": link.url, "linkId": str(link.id)}
        name = "email.link_clicked"
    elif note_open(send_id=send.id, now=now):
        news, name = {}, "email.opened"
    else:
        return
    if contact_id is not None:
        properties = {"emailSendId": str(send.id), "templateKey": send.email_id, **news}
        emit_events([NewEvent(contact_id, name, properties, idempotency_key=f"hit:{hit_id}")], now=now)


def _lock_person(contact_id: UUID) -> UUID | None:
    """Lock who the mail was for, after all merges; None if that person is gone."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
    return lock_contacts({contact_id}).get(contact_id)


def _bounded(user_agent: str) -> str:
    return user_agent.replace("\x00", "")[:LONGEST_AGENT]
