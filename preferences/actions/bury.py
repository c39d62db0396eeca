"""What stays of consent when the person goes: tombstones, which hold hashes of addresses and what they refused."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection

from preferences import statements


def bury_consent(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Keep every opt-out of these people for all their addresses. Their rows and keys must still stand.

    Idempotent; who refused nothing leaves no tombstone.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.BURY, [list(contact_ids), now])


def bury_suppressions(emails: Collection[str], *, now: datetime) -> None:
    """Forget these addresses and go on not mailing those of them that were suppressed."""
    with connection.cursor() as cursor:
        cursor.execute(statements.BURY_SUPPRESSIONS, [list(emails), now])
