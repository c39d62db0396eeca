"""API keys: how they are made, and what they allow."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from hogsend.api.models import ApiKey, Scope

LADDER = (Scope.READ, Scope.JOURNEY_ADMIN, Scope.FULL_ADMIN)
PREFIX_LENGTH = 8


def create_key(
    *, name: str, scopes: Collection[str], expires_at: datetime | None = None, tenant: str = "main"
) -> tuple[ApiKey, str]:
    """Store a new key and return it with its plain text, which is shown this once and never stored.

    Raises ValueError with a sentence when no scope or an unknown one is given.
    """
    known = ", ".join(Scope.values)
    if not scopes:
        raise ValueError(f"An API key needs at least one scope; choose from: {known}.")
    for scope in scopes:
        if scope not in Scope.values:
            raise ValueError(f"There is no scope {scope!r}; choose from: {known}.")
    plain = f"hsk_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name,
        prefix=plain[:PREFIX_LENGTH],
        key_hash=hash_key(plain),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        tenant=tenant,
    )
    return key, plain


def hash_key(plain: str) -> str:
    """Return what is stored of a key: the lower-case hex SHA-256 of the whole text."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def scope_allows(held: Collection[str], required: str) -> bool:
    """A higher rung of the ladder includes the lower ones; ingest must be granted, or comes with full-admin."""
    if required not in LADDER:
        return required in held or Scope.FULL_ADMIN in held
    rank = LADDER.index(Scope(required))
    return any(scope in held for scope in LADDER[rank:])
