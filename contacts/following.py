"""Who hears what happened to people, in which order: the modules named in HOGSEND_CONTACT_FOLLOWERS (ADR-0007).

A follower is a module with any of the functions below, under the same names and with the same arguments; what it does
is part of the transaction that it hears of. It may raise ApiError, which refuses the whole write.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings

from contacts.definitions import Change, Erasure, Merge


def contacts_changed(changes: Sequence[Change], *, now: datetime) -> None:
    """Something was written about people otherwise than by an event. Their locks are held."""
    _tell("contacts_changed", changes, now=now)


def contacts_merged(merge: Merge) -> None:
    """Two people became one: move the rows of the absorbed to the survivor. Both locks are held."""
    _tell("contacts_merged", merge)


def merge_undone(merge: Merge) -> None:
    """A merge is taken back: return to the absorbed what ``merge.moved`` says. Both locks are held."""
    _tell("merge_undone", merge)


def people_settled(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """A merge or its undoing is done, and what these people are, own and did has changed. Their locks are held."""
    _tell("people_settled", contact_ids, now=now)


def contacts_deleted(contact_ids: Collection[UUID], *, now: datetime) -> None:
    """People were deleted: end what was going on with them. Their rows and keys still stand; their locks are held."""
    _tell("contacts_deleted", contact_ids, now=now)


def contacts_erased(erasure: Erasure) -> None:
    """Somebody is erased: remove what does not hang on the contact's row, which goes afterwards with all that does."""
    _tell("contacts_erased", erasure)


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """Return all that every app holds about somebody, by a name of the app's own, as JSON values."""
    parts = [follower(contact_id) for follower in _followers("contact_exported")]
    return {name: rows for part in parts for name, rows in part.items()}


def _tell(moment: str, *news: Any, **more: Any) -> None:
    for follower in _followers(moment):
        follower(*news, **more)


def _followers(moment: str) -> tuple[Callable[..., Any], ...]:
    return _load(tuple(settings.HOGSEND_CONTACT_FOLLOWERS), moment)


@lru_cache(maxsize=32)
def _load(modules: tuple[str, ...], moment: str) -> tuple[Callable[..., Any], ...]:
    found = (getattr(import_module(module), moment, None) for module in modules)
    return tuple(function for function in found if function is not None)
