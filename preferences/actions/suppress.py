"""Which addresses are never mailed, whoever owns them."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from hogsend.lib.address import normalise_email
from hogsend.lib.ids import new_id
from preferences import statements
from preferences.models import Suppression


def suppress(*, email: str, reason: Suppression.Reason, now: datetime) -> None:
    """Never mail ``email`` again, whoever owns it, known to us or not.

    Idempotent, except that each call for a bounce counts one bounce: the caller makes sure that a notification comes
    here once. A complaint replaces any other reason. Raises ValueError for an empty address.
    """
    address = normalise_email(email)
    if not address:
        raise ValueError("There is no address to suppress; give the address that bounced or complained.")
    bounces = int(reason == Suppression.Reason.BOUNCE)
    values: dict[str, Any] = {
        "id": new_id(),
        "email": address,
        "reason": reason.value,
        "bounces": bounces,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(statements.SUPPRESS, values)


@transaction.atomic
def lift_suppression(*, email: str) -> bool:
    """Allow mail to ``email`` again and forget its bounces; tell whether it had been suppressed."""
    rows = Suppression.objects.filter(email=normalise_email(email), suppressed_at__isnull=False)
    known = rows.update(suppressed_at=None, reason=None, bounce_count=0) > 0
    with connection.cursor() as cursor:
        cursor.execute(statements.UNBURY_SUPPRESSION, [email])
        buried = [row[0] for row in cursor.fetchall()]
        cursor.execute(statements.FORGET, [buried])
    return known or bool(buried)
