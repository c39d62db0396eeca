"""Somebody is erased: nothing in the database tells of them any more, but that their address must not be mailed."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import structlog
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import Q
from django.utils.html import escape

from contacts import following, statements
from contacts.actions.lock import lock_contacts
from contacts.definitions import Erasure
from contacts.models import Contact, ContactKey
from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, KINDS

log = structlog.get_logger(__name__)

ERASED = "[erased]"
# An address ends where no further letter of one can follow, and begins likewise, or behind an escape (%3D, \\n).
BEFORE = r"((?<![a-z0-9._+-])|(?<=%[0-9a-f][0-9a-f])|(?<=\\[bfnrt]))"
TELLING = 8  # characters; a shorter id may stand in somebody else's row as a word of its own
AFTER = r"(?![a-z0-9-]|\.[a-z0-9])"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure removed: rows by model, and places elsewhere in which the person was mentioned."""

    rows: dict[str, int]
    mentions: int


def erase_contact(*, contact_id: UUID, now: datetime) -> Erased | None:
    """Remove somebody with everybody they ever merged with, their keys, their history and each mention of them.

    Who was deleted earlier and had one of the same keys is the same person. What they had refused stays refused for
    their address, which is kept as a salted hash only. Every row of the database is looked through, so it takes its
    time: for their addresses and our ids of them, and in JSON for their ids in your product, where those are long
    enough to be no ordinary word. The keys of other contacts and the accounts of staff stay as they are. Returns None
    if there is no such contact. It cannot be undone.
    """
    with transaction.atomic():
        erasure = _erasure(contact_id, now)
        if erasure is None:
            return None
        living = set(lock_contacts(erasure.contact_ids).values())
        if living:
            following.contacts_deleted(living, now=now)
        following.contacts_erased(erasure)
        _erase_log(erasure)
        _, rows = Contact.objects.filter(pk__in=erasure.contact_ids).delete()
        mentions = sum(_erase_mentions(word) for word in _words(erasure))
    removed = dict(erasure.removed + Counter(rows))
    log.info("contacts.erased", rows=sum(removed.values()), mentions=mentions)
    return Erased(removed, mentions)


def _erasure(contact_id: UUID, now: datetime) -> Erasure | None:
    """Find everybody who is this person, and what they were called."""
    ids = _family([contact_id])
    if not ids:
        return None
    names = _names(ids)
    earlier = Contact.objects.filter(deleted_at__isnull=False, merged_into=None).filter(
        Q(external_id__in=names[EXTERNAL]) | Q(email__in=names[EMAIL]) | Q(anonymous_id__in=names[ANONYMOUS])
    )
    ids |= _family(list(earlier.values_list("pk", flat=True)))
    names = _names(ids)
    return Erasure(
        contact_ids=tuple(sorted(ids)),
        external_ids=tuple(sorted(names[EXTERNAL])),
        emails=tuple(sorted(names[EMAIL])),
        anonymous_ids=tuple(sorted(names[ANONYMOUS])),
        now=now,
    )


def _family(ids: Collection[UUID]) -> set[UUID]:
    """Return everybody who is one of these people: whom they were merged into, and who was merged into those."""
    with connection.cursor() as cursor:
        cursor.execute(statements.READ_FAMILY, [list(ids)])
        return {row[0] for row in cursor.fetchall()}


def _names(ids: set[UUID]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for kind, value in ContactKey.objects.filter(contact__in=ids).values_list("kind", "value"):
        names[kind].add(value)
    for row in Contact.objects.filter(pk__in=ids).values_list("external_id", "email", "anonymous_id"):
        for kind, name in zip(KINDS, row, strict=True):
            names[kind] |= {name} if name else set()
    return names


def _erase_log(erasure: Erasure) -> None:
    """The log of staff says that they did something to somebody, not to whom."""
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Contact), object_id__in=[str(one) for one in erasure.contact_ids]
    )
    about.update(object_repr=ERASED, change_message="")


@dataclass(frozen=True, slots=True)
class _Word:
    """What is looked for: a text that is quickly found, the pattern that it is no part of more, and the mark for it."""

    text: str
    pattern: str
    mark: str = ERASED
    only_in_json: bool = False


def _words(erasure: Erasure) -> Iterator[_Word]:
    for email in erasure.emails:
        for written in {email, escape(email), quote(email, safe="")}:
            yield _Word(written, f"{BEFORE}{re.escape(written)}{AFTER}")
    for contact_id in erasure.contact_ids:
        yield _Word(str(contact_id), str(contact_id))
    for name in (*erasure.external_ids, *erasure.anonymous_ids):
        if len(name) >= TELLING:
            whole = json.dumps(name, ensure_ascii=False)
            yield _Word(whole, re.escape(whole), f'"{ERASED}"', only_in_json=True)


def _erase_mentions(word: _Word) -> int:
    """Put a mark in place of ``word`` wherever somebody else's row holds it, whatever its case; count the rows."""
    found, values = 0, {"word": word.text, "pattern": word.pattern, "erased": word.mark}
    with connection.cursor() as cursor:
        for table, column, how in _texts():
            if how == statements.IN_JSON or not word.only_in_json:
                cursor.execute(statements.erase_mention(table, column, how), values)
                found += cursor.rowcount
    return found


def _texts() -> Iterator[tuple[str, str, str]]:
    """List every column that may hold somebody's name without being a key or an account: table, column, how to mark."""
    for model in apps.get_models(include_auto_created=True):
        options = model._meta  # noqa: SLF001 - Django documents it
        if not options.managed or model in {ContactKey, get_user_model()}:
            continue
        unique = {
            name for one in options.constraints if isinstance(one, models.UniqueConstraint) for name in one.fields
        }
        for field in options.local_concrete_fields:
            if isinstance(field, models.JSONField):
                yield options.db_table, str(field.column), statements.IN_JSON
            elif isinstance(field, models.TextField | models.CharField) and not field.choices:
                own = field.unique or field.name in unique
                if not (own and model is Contact):
                    yield options.db_table, str(field.column), statements.IN_UNIQUE if own else statements.IN_TEXT
