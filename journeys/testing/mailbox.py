"""The mail of one person, as it left the engine."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from emails.models import EmailSend, SendStatus, TrackedLink
from journeys.models import JourneyStep

NOT_SENT = (SendStatus.SKIPPED, SendStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that was handed over, or one that deliberately was not: then ``reason`` says why.

    Attributes:
        email_id: Which e-mail it is.
        to: The address it went to.
        links: The pages that its HTML leads to, without those of the footer that concern consent.
        at: When it was decided.
    """

    email_id: str
    to: str
    category: str
    reason: str
    at: datetime
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    links: list[str] = field(repr=False)


def mails_of_journey(journey_id: str, contact_id: UUID) -> list[Mail]:
    """Return what the runs of one person through a journey decided to send, in order."""
    decided = JourneyStep.objects.filter(kind="send", run__journey_id=journey_id, run__contact_id=contact_id).order_by(
        "run__entry_number", "seq"
    )
    ids = [UUID(step.result["send_id"]) for step in decided if step.result]
    sends = EmailSend.objects.in_bulk(ids)
    return [_mail(sends[send_id]) for send_id in ids]


def _mail(send: EmailSend) -> Mail:
    return Mail(
        email_id=send.email_id,
        to=send.to_email,
        category=send.category,
        reason=send.reason if send.status in NOT_SENT else "",
        at=send.created_at,
        subject=send.subject,
        text=send.text,
        html=send.html,
        links=list(TrackedLink.objects.filter(send=send).order_by("url").values_list("url", flat=True)),
    )
