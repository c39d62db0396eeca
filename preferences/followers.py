"""What happens to consent when something happens to a person (contacts/following.py)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.definitions import Change, Erasure, Merge
from events.actions import emit_events
from preferences.actions import bury_consent, bury_suppressions, change_many, merge_consent, part_consent
from preferences.memberships import choices_of, require_address, require_possible
from preferences.queries import export_of, living_among, reachable


def contacts_changed(changes: Sequence[Change], *, now: datetime) -> None:
    """Change the lists that the writes name. Raises ApiError 400, which refuses the whole write, if one cannot be."""
    speaking = [change for change in changes if change.lists]
    if not speaking:
        return
    with_address = reachable({change.contact_id for change in speaking})
    for change in speaking:
        require_possible(change.lists)
        require_address(reachable=change.contact_id in with_address)
    choices = [choice for one in speaking for choice in choices_of(one.contact_id, one.lists, door=one.door)]
    if told := change_many(choices, now=now):
        emit_events(told, now=now)


def contacts_merged(merge: Merge) -> None:
    """Fold the absorbed person's choices into the survivor's: whoever of the two said no has said no."""
    merge.moved["preferences"] = merge_consent(
        survivor_id=merge.survivor_id, absorbed_id=merge.absorbed_id, now=merge.now
    )


def merge_undone(merge: Merge) -> None:
    """Give the absorbed person their choices back, with what was left meanwhile; the survivor keeps all."""
    if moved := merge.moved.get("preferences"):
        part_consent(survivor_id=merge.survivor_id, absorbed_id=merge.absorbed_id, moved=moved, now=merge.now)


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """Keep what these people refused, for the day their address comes back."""
    bury_consent(contact_ids, now=now)


def contacts_erased(erasure: Erasure) -> None:
    """Keep what the person refused, and that their address is suppressed, without the address."""
    # What the deleted had refused was kept when they were deleted, and may have been taken back by now.
    bury_consent(living_among(erasure.contact_ids), now=erasure.now)
    bury_suppressions(erasure.emails, now=erasure.now)


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """Return the person's choices, how they came about, and whether their address is suppressed."""
    return export_of(contact_id)
