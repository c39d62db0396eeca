"""The embedded engines that stand in for the servers which the environment does not name."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from hogsend.embedded import postgres, valkey
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.postgres import ABRUPT, FORGETFUL, Postgres
from hogsend.embedded.processes import Child
from hogsend.embedded.sockets import private_directory
from hogsend.embedded.valkey import Valkey


class Engine(Protocol):
    """A server that can be started, waited for and removed."""

    name: str
    variable: str
    log: Path
    child: Child | None

    @property
    def url(self) -> str: ...
    @property
    def description(self) -> str: ...
    def begin(self) -> None: ...
    def wait_ready(self, pause: Callable[[float], None] = ...) -> None: ...
    def erase(self) -> None: ...


def engines_for(state_dir: Path, environ: Mapping[str, str] = os.environ, *, forgetful: bool = False) -> list[Engine]:
    """Return an engine for each of DATABASE_URL and REDIS_URL that is unset, database first.

    A ``forgetful`` database starts and stops quickly and may lose everything with the machine. Raises EmbeddedError
    in production, where the embedded engines have no place.
    """
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not environ.get(name, "").strip()]
    if missing and environ.get("HOGSEND_ENV") == "production":
        raise EmbeddedError(
            f"HOGSEND_ENV is production, and the embedded PostgreSQL and Valkey are for development only. "
            f"Set {' and '.join(missing)} to the servers that production uses."
        )
    private_directory(state_dir)
    engines: list[Engine] = []
    if "DATABASE_URL" in missing:
        engines.append(Postgres(state_dir, settings=FORGETFUL, stop_steps=ABRUPT) if forgetful else Postgres(state_dir))
    if "REDIS_URL" in missing:
        engines.append(Valkey(state_dir))
    return engines


def erase_engines(state_dir: Path) -> None:
    """Remove everything that stopped engines keep for ``state_dir``, there and elsewhere."""
    postgres.erase_files(state_dir)
    valkey.erase_files(state_dir)
