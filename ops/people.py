"""What the pages and commands for one person need to know: whom somebody means, and what a merge or an export holds."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Q, QuerySet

from contacts.actions import Erased, Preview
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict, KeyKind
from contacts.queries import everything_about
from hogsend.lib.address import normalise_email

BY_ID = "id"
ROWS = {  # what the apps note in a merge, in the words of the pages
    "events": "events",
    "preferences": "changes of consent",
    "emails": "mails",
    "journeys": "journey runs and refusals",
}
NAMES = (
    ("E-mail", "email"),
    ("User id", "external_id"),
    ("Anonymous id", "anonymous_id"),
    ("Time zone", "timezone"),
)
COLUMNS = {KeyKind.EMAIL: "email", KeyKind.EXTERNAL: "external_id", KeyKind.ANONYMOUS: "anonymous_id"}


@dataclass(frozen=True, slots=True)
class Line:
    """One value of two people side by side, and what the survivor will have; ``origin`` says from whom."""

    label: str
    survivor: Any
    absorbed: Any
    result: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two people before they become one."""

    survivor: Contact
    absorbed: Contact
    names: list[Line]
    properties: list[Line]
    keys: list[tuple[str, str, str]]
    moved: list[tuple[str, int]]


def people_named(name: str, *, by: str | None = None) -> list[Contact]:
    """Return everybody whom ``name`` may mean: an address, user id, anonymous id or our id, or only the kind ``by``.

    Merged people stand under their survivor. The deleted are only found where nobody living is.
    """
    kinds = [KeyKind(by)] if by in KeyKind.values else [] if by == BY_ID else list(KeyKind)
    pairs = [(kind, normalise_email(name) if kind == KeyKind.EMAIL else name.strip()) for kind in kinds]
    found = list(Contact.objects.filter(_any_key(pairs)).select_related("merged_into").distinct()) if pairs else []
    if by in {None, BY_ID} and (contact_id := uuid_of(name)):
        found += Contact.objects.filter(pk=contact_id).select_related("merged_into")
    alive = _once(contact for contact in map(_last, found) if contact.deleted_at is None)
    return alive or _once(map(_last, [*found, *_deleted(pairs)]))


def uuid_of(text: str) -> UUID | None:
    """Return the id that a text is, if it is one."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def merges_of(contact_id: UUID) -> QuerySet[ContactMerge]:
    """Return the journal of the merges in which somebody took part, the newest first."""
    rows = ContactMerge.objects.filter(Q(survivor=contact_id) | Q(absorbed=contact_id))
    return rows.select_related("survivor", "absorbed").defer("before").order_by("-created_at", "-id")


def open_conflicts_of(contact_id: UUID) -> QuerySet[KeyConflict]:
    """Return the conflicts of somebody that nobody has looked at yet."""
    rows = KeyConflict.objects.filter(Q(contact=contact_id) | Q(other=contact_id), resolved_at=None)
    return rows.select_related("contact", "other").order_by("-last_seen_at")


def compare(survivor: Contact, absorbed: Contact, preview: Preview) -> Comparison:
    """Put two people and what will become of them side by side."""
    after = preview.survivor
    keys = [*_keys(survivor, "survivor"), *_keys(absorbed, "absorbed")]
    names = [_line(label, getattr(survivor, name), getattr(absorbed, name), after[name]) for label, name in NAMES]
    mine, theirs, both = survivor.properties, absorbed.properties, after["properties"]
    return Comparison(
        survivor,
        absorbed,
        [line for line in names if line.result is not None],
        [_line(name, mine.get(name), theirs.get(name), value) for name, value in sorted(both.items())],
        keys,
        [(ROWS.get(name, name), count) for name, count in preview.moved.items()],
    )


def export_of(contact: Contact) -> Iterator[str]:
    """Write all that we hold about somebody as one JSON document, part by part."""
    yield "{"
    for place, (name, part) in enumerate(everything_about(contact).items()):
        text = json.dumps(part, indent=2, ensure_ascii=False, default=str)
        yield f"{',' if place else ''}\n{json.dumps(name)}: {text}"
    yield "\n}\n"


def removed(erased: Erased) -> list[tuple[str, int]]:
    """Say in words what an erasure removed, the most first."""
    rows = [(str(apps.get_model(label)._meta.verbose_name_plural), count) for label, count in erased.rows.items()]  # noqa: SLF001 - Django documents it
    return sorted((row for row in rows if row[1]), key=lambda row: (-row[1], row[0]))


def _any_key(pairs: list[tuple[KeyKind, str]]) -> Q:
    wanted = Q()
    for kind, value in pairs:
        wanted |= Q(kind=kind, value=value)
    return Q(pk__in=ContactKey.objects.filter(wanted).values("contact_id"))


def _deleted(pairs: list[tuple[KeyKind, str]]) -> QuerySet[Contact]:
    """Return the deleted who were called so last: their keys are gone, their rows are not."""
    wanted = Q(pk=None)
    for kind, value in pairs:
        wanted |= Q(**{COLUMNS[kind]: value})
    return Contact.objects.filter(wanted, deleted_at__isnull=False).select_related("merged_into")


def _last(contact: Contact) -> Contact:
    """Follow the merges to the end, whether somebody lives there or not."""
    while contact.merged_into is not None:
        contact = contact.merged_into
    return contact


def _once(people: Iterable[Contact]) -> list[Contact]:
    return list({contact.pk: contact for contact in people}.values())


def _keys(contact: Contact, whose: str) -> Iterator[tuple[str, str, str]]:
    for key in contact.keys.order_by("kind", "value")[:100]:
        yield key.get_kind_display(), key.value, whose


def _line(label: str, mine: Any, theirs: Any, result: Any) -> Line:
    return Line(label, mine, theirs, result, "both" if mine == theirs else "survivor" if mine == result else "absorbed")
