"""Folders for unix sockets: private, and short enough for the kernel."""

import hashlib
import os
import stat
import sys
from pathlib import Path

from hogsend.embedded.errors import EmbeddedError

LONGEST_PATH = 103 if sys.platform == "darwin" else 107


def socket_directory(preferred: Path, file_name: str) -> Path:
    """Return ``preferred``, or a private folder in /tmp when a socket cannot live there.

    A path may be too long for a socket address, and libpq reads a comma as a list of hosts.
    """
    path = os.fsencode(preferred / file_name)
    if len(path) <= LONGEST_PATH and b"," not in path:
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
    return Path("/tmp") / f"hogsend-{os.geteuid()}-{digest}"  # noqa: S108 - private_directory refuses a stranger's folder


def private_directory(path: Path, owner: int | None = None) -> None:
    """Create ``path`` for its owner alone; raises EmbeddedError if it exists and belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), owner}:
        raise EmbeddedError(f"{path} belongs to somebody else; remove it, or choose another HOGSEND_STATE_DIR.")
    if stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - the mode is its own name
        path.chmod(0o700)
