"""The only writers of people and their keys: find or create, merge and take back, change, delete, erase."""

from contacts.actions.delete import delete_contact
from contacts.actions.erase import Erased, erase_contact
from contacts.actions.identify import Identified, identify
from contacts.actions.lock import (
    Facts,
    asked_for,
    facts_of,
    hold_contacts,
    lock_and_read,
    lock_contacts,
    lock_keys,
    lock_numbers,
)
from contacts.actions.merge import (
    MergeError,
    Preview,
    merge_among,
    merge_contacts,
    preview_merge,
    rows_moved,
)
from contacts.actions.resolve import (
    ContactRequest,
    Resolved,
    patch_json,
    resolve_among,
    resolve_contacts,
)
from contacts.actions.timezone import GUESSES, set_contact_timezone
from contacts.actions.undo import undo_merge

__all__ = [
    "GUESSES",
    "ContactRequest",
    "Erased",
    "Facts",
    "Identified",
    "MergeError",
    "Preview",
    "Resolved",
    "asked_for",
    "delete_contact",
    "erase_contact",
    "facts_of",
    "hold_contacts",
    "identify",
    "lock_and_read",
    "lock_contacts",
    "lock_keys",
    "lock_numbers",
    "merge_among",
    "merge_contacts",
    "patch_json",
    "preview_merge",
    "resolve_among",
    "resolve_contacts",
    "rows_moved",
    "set_contact_timezone",
    "undo_merge",
]
