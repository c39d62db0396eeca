"""Who somebody is: how keys are written, and whose event it is when keys belong to different people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from hogsend.lib.address import normalise_email

EXTERNAL = "external"
EMAIL = "email"
ANONYMOUS = "anonymous"
KINDS = (EXTERNAL, EMAIL, ANONYMOUS)  # the most identifying first

Key = tuple[str, str]  # (kind, value)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys one request names a person by, in their normal form."""

    external: str | None = None
    email: str | None = None
    anonymous: str | None = None

    def pairs(self) -> list[Key]:
        """List the keys that are there, the most identifying first."""
        return [(kind, value) for kind in KINDS if (value := getattr(self, kind)) is not None]

    def __bool__(self) -> bool:
        return self.external is not None or self.email is not None or self.anonymous is not None


def keys_of(*, user_id: str | None = None, email: str | None = None, anonymous_id: str | None = None) -> Keys:
    """Trim every key and lower-case the address; what is empty then is absent."""
    return Keys(
        external=(user_id or "").strip() or None,
        email=normalise_email(email or "") or None,
        anonymous=(anonymous_id or "").strip() or None,
    )


def lock_number(kind: str, value: str) -> int:
    """The advisory lock of a key or of a contact: the same number in every process, 64 bits, signed."""
    digest = blake2b(f"{kind}:{value}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@dataclass(slots=True)
class Person:
    """A contact as far as its keys go, and what a batch has made of it so far."""

    id: UUID
    columns: dict[str, str | None]
    first_seen_at: datetime | None = None
    is_new: bool = False
    filled: bool = False

    @property
    def is_identified(self) -> bool:
        """A person is identified once your product has given them an id."""
        return self.columns.get(EXTERNAL) is not None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key that came with an event and belongs to another person than the one who got the event."""

    contact_id: UUID
    other_id: UUID
    kind: str
    value: str


class MergeNeededError(Exception):
    """Keys that came together belong to people who are one; they must be merged before anything is recorded.

    ``position`` is that of the request in its batch.
    """

    def __init__(self, position: int = 0) -> None:
        super().__init__(f"The request at position {position} needs people to be merged.")
        self.position = position


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may become one: two identified people only if ``merge_identified``; nobody whom staff have kept ``apart``."""

    merge_identified: bool = False
    apart: frozenset[frozenset[UUID]] = frozenset()

    def may_merge(self, one: Person, other: Person, *, identified: bool) -> bool:
        """People merge unless both carry a user id, or staff have taken an earlier merge of the two back.

        ``identified`` says whether ``one`` carries a user id, or is just being given one.
        """
        if frozenset((one.id, other.id)) in self.apart:
            return False
        return self.merge_identified or not (identified and other.is_identified)


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Who lives on, and who becomes part of them, in that order."""

    survivor: Person
    absorbed: tuple[Person, ...]


@dataclass
class Directory:
    """Who owns which key, kept up to date while the requests of a batch are placed one after the other."""

    owners: dict[Key, Person]
    policy: Policy = field(default_factory=Policy)
    gained: dict[Key, Person] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def place(self, keys: Keys, new_id: Callable[[], UUID]) -> Person:
        """Find the person these keys mean, or make one; attach the keys that nobody owns and note those of others.

        Raises MergeNeededError when some of the owners must become one first.
        """
        person = self._holder(keys)
        if person is None:
            person = Person(id=new_id(), columns={}, is_new=True)
        elif self._others(keys, person):
            raise MergeNeededError
        for key in keys.pairs():
            owner = self.owners.get(key)
            if owner is None:
                self._attach(key, person)
            elif owner is not person:
                self.conflicts.append(Conflict(person.id, owner.id, *key))
        return person

    def merges(self, keys: Keys) -> MergePlan | None:
        """Say which of the owners of these keys become one, and as whom they live on."""
        person = self._holder(keys)
        others = [] if person is None else self._others(keys, person)
        if person is None or not others:
            return None
        survivor = person if person.is_identified else min((person, *others), key=_seniority)
        return MergePlan(survivor, tuple(one for one in (person, *others) if one is not survivor))

    def _holder(self, keys: Keys) -> Person | None:
        """Return whose request this is: the owner of the user id, else the most identified owner of another key.

        A request with a user id that nobody owns belongs to none of those who carry another.
        """
        owners = [self.owners.get(key) for key in keys.pairs()]
        if keys.external is not None and owners[0] is not None:
            return owners[0]
        free = keys.external is None or self.policy.merge_identified
        possible = [owner for owner in owners if owner is not None and (free or not owner.is_identified)]
        return min(possible, key=lambda owner: not owner.is_identified, default=None)

    def _others(self, keys: Keys, person: Person) -> list[Person]:
        """Return who else owns one of these keys and is the same person."""
        identified = person.is_identified or keys.external is not None
        found = {owner.id: owner for key in keys.pairs() if (owner := self.owners.get(key)) is not None}
        found.pop(person.id, None)
        return [one for one in found.values() if self.policy.may_merge(person, one, identified=identified)]

    def _attach(self, key: Key, person: Person) -> None:
        kind, value = key
        self.owners[key] = self.gained[key] = person
        if person.columns.get(kind) is None:
            person.columns[kind] = value
            person.filled = True


def _seniority(one: Person) -> tuple[bool, bool, datetime | None, UUID]:
    """Who is identified goes before who is not, then who was seen first, then the lower id."""
    return (not one.is_identified, one.first_seen_at is None, one.first_seen_at, one.id)


def split_again(now: Mapping[str, Any], *, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Undoing a merge gives each value back its state before, unless it was changed since the merge."""
    untouched = {name for name, value in after.items() if name in now and now[name] == value}
    kept = {name: value for name, value in now.items() if name not in untouched}
    return {**{name: before[name] for name in untouched if name in before}, **kept}
