"""Who somebody is: how keys are written, and whose event it is when keys belong to different people."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
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
    is_new: bool = False
    filled: bool = False

    @property
    def rank(self) -> int:
        """0 for a known person, 1 for an address, 2 for a visitor."""
        return next((rank for rank, kind in enumerate(KINDS) if self.columns.get(kind) is not None), len(KINDS))


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key that came with an event and belongs to another person than the one who got the event."""

    contact_id: UUID
    other_id: UUID
    kind: str
    value: str


@dataclass
class Directory:
    """Who owns which key, kept up to date while the requests of a batch are placed one after the other."""

    owners: dict[Key, Person]
    gained: dict[Key, Person] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def place(self, keys: Keys, new_id: Callable[[], UUID]) -> Person:
        """Find the person these keys mean, or make one; attach the keys that nobody owns and note those of others."""
        person = self._choose(keys) or Person(id=new_id(), columns={}, is_new=True)
        for key in keys.pairs():
            owner = self.owners.get(key)
            if owner is None:
                self._attach(key, person)
            elif owner is not person:
                self.conflicts.append(Conflict(person.id, owner.id, *key))
        return person

    def _choose(self, keys: Keys) -> Person | None:
        """The most identified owner wins, unless the event names a user id and the owner is known under another."""
        found: list[Person] = []
        for key in keys.pairs():
            owner = self.owners.get(key)
            if owner is None:
                continue
            if key[0] == EXTERNAL:
                return owner
            if keys.external is None or owner.columns.get(EXTERNAL) is None:
                found.append(owner)
        return min(found, key=lambda owner: owner.rank, default=None)

    def _attach(self, key: Key, person: Person) -> None:
        kind, value = key
        self.owners[key] = self.gained[key] = person
        if person.columns.get(kind) is None:
            person.columns[kind] = value
            person.filled = True
