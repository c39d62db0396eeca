"""Bring an empty development stack to the point where a person can log in and a program can send events."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now

from hogsend.api.keys import create_key, hash_key
from hogsend.api.models import ApiKey, Scope

FULL_ADMIN_KEY = "development full-admin"
INGEST_KEY = "development ingest"
ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class State:
    """What a developer needs to use the running stack; written to the state file."""

    base_url: str
    api_key: str
    ingest_key: str
    admin_user: str | None
    admin_password: str | None
    outbox_dir: str


def ensure_credentials(*, state_file: Path, base_url: str) -> State:
    """Create the administrator and the keys that are missing, and write the state file.

    Repeating it changes nothing while the file and the rows agree. The caller makes sure that nobody does the same
    at the same time (ops.migrating.alone).
    """
    before = read_state(state_file)
    user, password = _administrator(before)
    state = State(
        base_url=base_url,
        api_key=_key(before.get("api_key"), name=FULL_ADMIN_KEY, scope=Scope.FULL_ADMIN),
        ingest_key=_key(before.get("ingest_key"), name=INGEST_KEY, scope=Scope.INGEST),
        admin_user=user,
        admin_password=password,
        outbox_dir=str(settings.HOGSEND_OUTBOX_DIR),
    )
    write_state(state_file, state)
    return state


def read_state(path: Path) -> dict[str, Any]:
    """Return what an earlier start wrote; nothing when the file is missing or damaged."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_state(path: Path, state: State) -> None:
    """Replace the file in one step; only its owner may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600.
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps(asdict(state), indent=2) + "\n")
    Path(fresh).replace(path)


def _administrator(before: dict[str, Any]) -> tuple[str | None, str | None]:
    staff = User.objects.filter(is_superuser=True, is_active=True).order_by("id")
    if not staff.exists():
        taken = User.objects.filter(username=ADMINISTRATOR).exists()
        username = f"{ADMINISTRATOR}-{secrets.token_hex(3)}" if taken else ADMINISTRATOR
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser(username, password=password)
        return username, password
    known, kept = before.get("admin_user"), before.get("admin_password")
    user = staff.filter(username=known).first()
    if user is not None and isinstance(kept, str) and user.check_password(kept):
        return user.username, kept
    return (user or staff[0]).username, None


def _key(known: Any, *, name: str, scope: Scope) -> str:
    if isinstance(known, str) and _is_valid(known, scope):
        return known
    _, secret = create_key(name=name, scopes=[scope.value])
    return secret


def _is_valid(secret: str, scope: Scope) -> bool:
    alive = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)
    return alive.filter(key_hash=hash_key(secret), scopes__contains=[scope.value]).exists()
