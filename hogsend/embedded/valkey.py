"""An embedded Valkey: broker and cache, on a unix socket, with an append-only file."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import redis

from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.orphans import end, processes_in
from hogsend.embedded.processes import Child, ProcessSpec, last_lines
from hogsend.embedded.sockets import private_directory, socket_directory
from hogsend.embedded.wheels import valkey_server

SOCKET = "valkey.sock"
DATABASES = 64
START_SECONDS = 20.0


class Valkey:
    """The broker and cache engine of one state directory."""

    name = "valkey"
    variable = "REDIS_URL"
    description = "embedded Valkey"

    def __init__(self, state_dir: Path) -> None:
        self.program = valkey_server()
        self.log = state_dir / "logs" / "valkey.log"
        self.data = state_dir / "valkey"
        self.sockets = socket_directory(self.data, SOCKET)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address for redis-py and Django's cache; Celery's form is ``endpoints.celery_broker_url``."""
        return f"unix://{quote(str(self.sockets / SOCKET))}?db=0"

    def begin(self) -> None:
        """Start the server; waits for a predecessor that is still shutting down."""
        for directory in {self.data, self.sockets}:
            private_directory(directory)
        left = end(lambda: processes_in(self.data, self.program.name), ((signal.SIGTERM, 3.0), (signal.SIGKILL, 1.0)))
        if left:
            raise EmbeddedError(f"Another Valkey (process {left[0]}) works in {self.data} and does not stop.")
        self.child = Child(self._spec())

    def wait_ready(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Return when the server answers; raises EmbeddedError with the end of the log if it does not."""
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis(unix_socket_path=str(self.sockets / SOCKET)) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    if self.child is None or self.child.exit_code() is not None or time.monotonic() > deadline:
                        raise EmbeddedError(f"The embedded Valkey did not start. {last_lines(self.log)}") from None
                else:
                    return
                pause(0.01)

    def erase(self) -> None:
        """Remove the data for good; the server must be stopped."""
        for directory in {self.data, self.sockets}:
            shutil.rmtree(directory, ignore_errors=True)

    def _spec(self) -> ProcessSpec:
        options = {
            "port": "0",
            "unixsocket": str(self.sockets / SOCKET),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "databases": str(DATABASES),
            "save": "",
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        return ProcessSpec(
            name=self.name,
            command=(str(self.program), *(part for name, value in options.items() for part in (f"--{name}", value))),
            environ={"LC_ALL": "C", "TZ": "UTC"},
            cwd=self.data,
            log=self.log,
            stop_steps=((signal.SIGTERM, 1.0),),
        )


def erase_files(state_dir: Path) -> None:
    """Remove what a Valkey on ``state_dir`` keeps there and, for its socket, elsewhere."""
    data = state_dir / "valkey"
    for directory in (data, socket_directory(data, SOCKET)):
        shutil.rmtree(directory, ignore_errors=True)
