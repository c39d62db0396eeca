"""Staff have looked at a conflict of keys and leave both people as they are."""

from datetime import datetime
from uuid import UUID

from contacts.models import KeyConflict


def resolve_conflict(*, conflict_id: UUID, now: datetime) -> bool:
    """Mark a conflict as looked at: the two stay two people; False if it was resolved before, or is gone."""
    return KeyConflict.objects.filter(pk=conflict_id, resolved_at=None).update(resolved_at=now) > 0
