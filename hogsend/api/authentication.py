"""Who calls: a bearer key, looked up by its hash."""

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from hogsend.api.keys import hash_key
from hogsend.api.models import ApiKey, Scope
from hogsend.api.throttles import count_stranger

CACHE_SECONDS = 5.0  # the longest time for which a revoked key still works
CACHE_SIZE = 1024
USE_IS_NOTED_EVERY = timedelta(minutes=5)
SCHEME = "Bearer "

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent this request, and what they may do."""

    id: str
    name: str
    scopes: frozenset[str]
    tenant: str = "main"


@dataclass(frozen=True, slots=True)
class CachedKey:
    """A key row as it was read, and until when we believe it."""

    caller: Caller
    expires_at: datetime | None
    stale_at: float


class KeyCache:
    """Key rows by hash, for a few seconds and of bounded number. Unknown keys are not remembered."""

    def __init__(
        self, *, seconds: float = CACHE_SECONDS, size: int = CACHE_SIZE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._size, self._clock = seconds, size, clock
        self._rows: dict[str, CachedKey] = {}
        self._lock = threading.Lock()

    def get(self, key_hash: str) -> CachedKey | None:
        """Return the row unless it is unknown, revoked or was read too long ago and is gone since."""
        row = self._rows.get(key_hash)
        if row is not None and self._clock() < row.stale_at:
            return row
        return self._read(key_hash)

    def knows(self, key_hash: str) -> bool:
        """Say whether this process has seen the key to be good; it may have been revoked since."""
        return key_hash in self._rows

    def clear(self) -> None:
        """Forget every row."""
        with self._lock:
            self._rows.clear()

    def _read(self, key_hash: str) -> CachedKey | None:
        key = ApiKey.objects.filter(key_hash=key_hash, revoked_at=None).first()
        with self._lock:
            self._rows.pop(key_hash, None)
            if key is None:
                return None
            caller = Caller(id=str(key.id), name=key.name, scopes=frozenset(key.scopes), tenant=key.tenant)
            row = CachedKey(caller=caller, expires_at=key.expires_at, stale_at=self._clock() + self._seconds)
            self._rows[key_hash] = row
            if len(self._rows) > self._size:
                del self._rows[next(iter(self._rows))]
        _note_use(key)
        return row


keys = KeyCache()


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <key>``. Leaves a Caller in ``request.auth``; there is no user."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        """Return the caller, or None without the header.

        Raises AuthenticationFailed for a key that is no good, and ApiError 429 for an address that brings too many
        keys which this process has not seen to be good: they are refused unread, so that nobody guesses at speed.
        """
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.startswith(SCHEME):
            return None
        key_hash = hash_key(header[len(SCHEME) :])
        static = bool(settings.ADMIN_API_KEY) and hmac.compare_digest(key_hash, hash_key(settings.ADMIN_API_KEY))
        if not (keys.knows(key_hash) or (static and key_hash in _static_keys_seen)):
            count_stranger(request._request)  # noqa: SLF001 - the limiter knows Django's requests
        if static:
            _static_keys_seen.add(key_hash)
            return None, LEGACY
        row = keys.get(key_hash)
        if row is None:
            raise AuthenticationFailed("Unauthorized")
        if row.expires_at is not None and row.expires_at < datetime.now(UTC):
            raise AuthenticationFailed("API key expired")
        return None, row.caller

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        """Name the scheme, which makes a refusal a 401."""
        return "Bearer"


_static_keys_seen: set[str] = set()
LEGACY = Caller(id="legacy", name="legacy", scopes=frozenset({Scope.FULL_ADMIN.value}))


def _note_use(key: ApiKey) -> None:
    now = datetime.now(UTC)
    if key.last_used_at is not None and key.last_used_at > now - USE_IS_NOTED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_IS_NOTED_EVERY)
    free = ApiKey.objects.select_for_update(skip_locked=True).filter(stale, pk=key.pk)
    try:
        with transaction.atomic():
            ApiKey.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
    except DatabaseError as error:
        log.warning("api_key.use_not_noted", key=key.prefix, error=str(error))
