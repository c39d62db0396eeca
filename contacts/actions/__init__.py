"""The only writers of people and their keys: find or create, merge and take back, change, delete, erase."""

from contacts.actions.delete import delete_contact
from contacts.actions.erase import Erased, erase_contact
from contacts.actions.identify import Identified, identify
from contacts.actions.merge import MergeError, Preview, merge_contacts, merge_owners, preview_merge, rows_moved
from contacts.actions.resolve import ContactRequest, Resolved, lock_contacts, lock_keys, resolve_contacts
from contacts.actions.undo import undo_merge

__all__ = [
    "ContactRequest",
    "Erased",
    "Identified",
    "MergeError",
    "Preview",
    "Resolved",
    "delete_contact",
    "erase_contact",
    "identify",
    "lock_contacts",
    "lock_keys",
    "merge_contacts",
    "merge_owners",
    "preview_merge",
    "resolve_contacts",
    "rows_moved",
    "undo_merge",
]
