"""What becomes of mail when people become one, are two again, are deleted or erased."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import Q

from emails.models import EmailSend, Reason, SendStatus
from events.idempotency import forget_answers

MOVE = "update emails_emailsend set contact_id = %s, updated_at = %s where contact_id = %s returning id"

log = structlog.get_logger(__name__)


def move_sends(*, source: UUID, target: UUID, now: datetime) -> list[UUID]:
    """Give all mail of one person to another, and return which it was.

    What is still queued is judged by the other's consent from now on: it is read again before every hand-over.
    """
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [target, now, source])
        return [send_id for (send_id,) in cursor.fetchall()]


def return_sends(*, source: UUID, target: UUID, send_ids: Collection[UUID], now: datetime) -> None:
    """Give those of ``send_ids`` that ``source`` still has to ``target``."""
    EmailSend.objects.filter(id__in=send_ids, contact_id=source).update(contact_id=target, updated_at=now)


def cancel_sends(contact_ids: Collection[UUID], *, now: datetime) -> int:
    """Skip what is queued for people who are gone, and return how much it was.

    What may have been handed over already is unknown, as ever. What a worker holds is left to it: it reads consent
    once more before the hand-over.
    """
    waiting = EmailSend.objects.filter(contact_id__in=contact_ids, status=SendStatus.QUEUED)
    skipped = waiting.filter(provider_started_at=None).update(
        status=SendStatus.SKIPPED, reason=Reason.DELETED, updated_at=now
    )
    unknown = waiting.update(status=SendStatus.UNKNOWN, updated_at=now)
    if skipped or unknown:
        log.info("emails.cancelled", reason=Reason.DELETED.value, skipped=skipped, unknown=unknown)
    return skipped + unknown


def forget_sends(contact_ids: Collection[UUID], *, addresses: Sequence[str]) -> int:
    """Remove every mail to these people or addresses with its links and hits, and return how many there were."""
    theirs = EmailSend.objects.filter(Q(contact_id__in=contact_ids) | Q(to_email__in=addresses))
    rows = list(theirs.values_list("id", "created_at"))
    forget_answers(rows)
    theirs.delete()
    return len(rows)
