"""An embedded PostgreSQL: a cluster in the state directory, reachable through a unix socket only."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg

from hogsend.embedded.accounts import Account, Mode, account_for, nobody_home
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.lifeline import tied_to_parent
from hogsend.embedded.orphans import end, processes_in, working_directory
from hogsend.embedded.processes import Child, ProcessSpec, Steps, last_lines
from hogsend.embedded.sockets import private_directory, socket_directory

PORT = 5432
NAME = "hogsend"
START_SECONDS = 30.0
DURABLE: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "max_connections": "200",
        "max_locks_per_transaction": "128",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "unix_socket_permissions": "0700",
    }
)
# For clusters that live as long as one test run.
FORGETFUL: Mapping[str, str] = MappingProxyType(
    {**DURABLE, "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
)
# SIGINT disconnects the clients and writes a checkpoint; SIGQUIT leaves the rest to recovery.
ORDERLY: Steps = ((signal.SIGINT, 1.8), (signal.SIGQUIT, 0.7))
ABRUPT: Steps = ((signal.SIGQUIT, 2.0),)


class Postgres:
    """The database engine of one state directory."""

    name = "postgres"
    variable = "DATABASE_URL"

    def __init__(
        self,
        state_dir: Path,
        *,
        settings: Mapping[str, str] = DURABLE,
        stop_steps: Steps = ORDERLY,
        mode: Mode | None = None,
    ) -> None:
        self.settings = settings
        self.stop_steps = stop_steps
        self.log = state_dir / "logs" / "postgres.log"
        self.account: Account = account_for(state_dir / "postgres", mode)
        self.data = self.account.home / "data"
        self.sockets = socket_directory(self.account.home, f".s.PGSQL.{PORT}")
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address for libpq, psycopg and Django."""
        return self._url(NAME)

    @property
    def description(self) -> str:
        """What runs here, for people."""
        return f"embedded PostgreSQL ({self.account.mode})"

    def begin(self) -> None:
        """Start the server; the first time make its cluster. Waits for a predecessor that is still shutting down."""
        for directory in {self.account.home, self.sockets}:
            private_directory(directory, self.account.owner)
            if self.account.owner is not None:
                os.chown(directory, self.account.owner, -1)
        self._outlive_predecessor()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster()
        self.child = Child(self._spec())

    def wait_ready(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Return when the database answers; raises EmbeddedError with the end of the log if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
                    return _create_database(connection)
            except psycopg.OperationalError:
                if self.child is None or self.child.exit_code() is not None or time.monotonic() > deadline:
                    raise EmbeddedError(f"The embedded PostgreSQL did not start. {last_lines(self.log)}") from None
            pause(0.02)

    def erase(self) -> None:
        """Remove the cluster for good; the server must be stopped."""
        shutil.rmtree(self.account.home, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _url(self, database: str) -> str:
        return f"postgresql://{NAME}@/{database}?host={quote(str(self.sockets))}&port={PORT}"

    def _spec(self) -> ProcessSpec:
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        program = self.account.binaries / "postgres"
        return ProcessSpec(
            name=self.name,
            command=(str(program), "-D", str(self.data), "-k", str(self.sockets), "-p", str(PORT), *options),
            environ=_environ(),
            cwd=self.account.home,
            log=self.log,
            stop_steps=self.stop_steps,
            death_signal=signal.SIGINT,
            enter=self.account.enter,
        )

    def _create_cluster(self) -> None:
        # Renamed when complete, so that a machine that stops half way leaves no half cluster behind.
        unfinished = self.account.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        made = subprocess.run(
            [
                self.account.binaries / "initdb", "--pgdata", unfinished, "--username", NAME, "--auth=trust",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                "--no-instructions", *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
            ],
            env=_environ(),
            cwd=self.account.home,
            start_new_session=True,
            preexec_fn=tied_to_parent(signal.SIGKILL, self.account.enter),
            capture_output=True,
            check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise EmbeddedError(f"The embedded PostgreSQL could not be set up:\n{made.stderr.decode(errors='replace')}")
        unfinished.rename(self.data)

    def _outlive_predecessor(self) -> None:
        steps = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 1.0))
        left = end(lambda: processes_in(self.data, "postgres"), steps)
        if left:
            raise EmbeddedError(f"Another PostgreSQL (process {left[0]}) works in {self.data} and does not stop.")
        _forget_reused_pid(self.data)


def erase_files(state_dir: Path) -> None:
    """Remove the cluster of ``state_dir``, wherever the account that ran it kept it."""
    home = state_dir / "postgres"
    for path in (home, nobody_home(home), socket_directory(home, f".s.PGSQL.{PORT}")):
        shutil.rmtree(path, ignore_errors=True)


def _create_database(connection: psycopg.Connection) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
        connection.execute(f"CREATE DATABASE {NAME}")


def _environ() -> dict[str, str]:
    """Nothing of the caller's environment: its PG* variables and missing locales would change the server."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _forget_reused_pid(data: Path) -> None:
    """Remove a ``postmaster.pid`` whose number another program has meanwhile; PostgreSQL would refuse to start.

    With a number nobody has, the file stays: PostgreSQL also finds its own forgotten back ends by it.
    """
    pidfile = data / "postmaster.pid"
    try:
        pid = int(pidfile.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    if working_directory(pid) not in {None, os.path.realpath(data)}:
        pidfile.unlink()
