"""Workers that can be stopped at one chosen moment: killed there, or let go on when others have done their work."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Cursor

from contacts.pipeline import call

STATE = Path(os.environ["HOGSEND_STATE_DIR"])
TEMPLATES = Path(__file__).with_name("templates")
MAILS, CALLS = STATE / "mails.log", STATE / "calls.log"


class Boundaries:
    """Counts the moments at which a process may stop, and stops it at one of them.

    What a process did until it commits is the same to all others as if it had done nothing, and nobody can tell the
    moment after one commit from that before the next. So these are the moments before each commit and on both sides of
    each call to the outside; on request also those before each statement.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self, *, fatal: int | None = None, each_statement: bool = False) -> None:
        """Count from the beginning, and stop at the moment ``fatal``."""
        self.fatal, self.each_statement = fatal, each_statement
        self.met: list[bool] = []

    def __call__(self, *, inside: bool = False) -> None:
        """Pass a moment, which may be inside a transaction."""
        self.met.append(inside)
        if len(self.met) == self.fatal:
            os.kill(os.getpid(), signal.SIGSTOP)


boundary = Boundaries()


def watch_the_database() -> None:
    """Pass a boundary before each commit, and before each statement that commits by itself."""
    commit, execute = BaseDatabaseWrapper._commit, Cursor.execute

    def mortal_commit(self: BaseDatabaseWrapper) -> None:
        boundary(inside=True)
        commit(self)

    def mortal_execute(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        alone = self.connection.autocommit
        if boundary.each_statement or (alone and not str(query).lstrip().lower().startswith("select")):
            boundary(inside=not alone)
        return execute(self, query, *arguments, **options)

    def mortal_call(sql: str, parameters: Any) -> bytes:
        alone = not connection.in_atomic_block
        if alone or boundary.each_statement:
            boundary(inside=not alone)
        return call(sql, parameters)

    for module in list(sys.modules.values()):
        if vars(module).get("call") is call and module is not sys.modules[__name__]:
            module.call = mortal_call
    BaseDatabaseWrapper._commit = mortal_commit  # type: ignore[method-assign]
    Cursor.execute = mortal_execute  # type: ignore[method-assign]


def call_outside(key: str) -> str:
    """Do something that no transaction takes back, under ``key``."""
    boundary()
    with CALLS.open("a") as calls:
        calls.write(f"{key}\n")
    boundary()
    return "done"


class ForgetfulProvider(BaseEmailBackend):
    """Accepts each message it is given by writing it down."""

    def send_messages(self, messages: Any) -> int:
        for message in messages:
            said = [message.subject, message.body, message.alternatives, message.to, message.extra_headers]
            boundary()
            with MAILS.open("a") as mails:
                mails.write(f"{message.metadata['send_id']} {sha256(repr(said).encode()).hexdigest()}\n")
            boundary()
        return len(messages)


class RecognisingProvider(ForgetfulProvider):
    """Writes down what it is given as well; whoever reads that takes a message with a known key for the same one."""


class Process:
    """A process of its own that does ``work``, and stops at a boundary if it comes to it."""

    def __init__(self, work: Callable[[], object], *, fatal: int | None = None) -> None:
        connections.close_all()
        self._over = False
        self.pid = os.fork()
        if self.pid == 0:
            _live(work, fatal)

    def stops(self) -> bool:
        """Wait until it stops, or has ended: then False."""
        return self._waited(os.WUNTRACED)

    def has_ended(self) -> bool:
        """Say whether it has ended by now."""
        self._waited(os.WNOHANG)
        return self._over

    def dies(self) -> None:
        """Kill it where it is."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def goes_on(self) -> None:
        """Let it go on where it stopped, and wait for its end."""
        os.kill(self.pid, signal.SIGCONT)
        self.ends()

    def ends(self) -> None:
        """Wait for its end."""
        if not self._over:
            self._waited(0)

    def _waited(self, options: int) -> bool:
        pid, status = os.waitpid(self.pid, options)
        if pid == 0 or os.WIFSTOPPED(status):
            return pid != 0
        self._over = True
        if status:
            raise SystemExit(f"A process ended by itself with {os.waitstatus_to_exitcode(status)}.")
        return False


def _live(work: Callable[[], object], fatal: int | None) -> None:
    status = 1
    try:
        boundary.begin(fatal=fatal, each_statement=boundary.each_statement)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is must not run on in the copy of the parent's stack
        traceback.print_exc()
    finally:
        os._exit(status)
