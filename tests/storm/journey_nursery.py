"""A process that raises workers and lets each die at one chosen moment, then lets another one finish the work.

Usage: journey_nursery.py <story>. Reads DATABASE_URL; prints one JSON object per death.
"""

import json
import os
import signal
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.mail.backends.base import BaseEmailBackend  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from psycopg import Cursor  # noqa: E402

from contacts.models import Contact  # noqa: E402
from emails.actions import deliver_due, reclaim_lost  # noqa: E402
from emails.definitions import Email  # noqa: E402
from emails.definitions import registry as emails  # noqa: E402
from emails.models import EmailSend  # noqa: E402
from events.actions import emit_events  # noqa: E402
from events.definitions import NewEvent  # noqa: E402
from hogsend import doorbell  # noqa: E402
from hogsend.authoring import hours, journey, send_email  # noqa: E402
from journeys.actions.lease import database_now  # noqa: E402
from journeys.definitions import registry as journeys  # noqa: E402
from journeys.models import JourneyRun, JourneyStep, Wakeup  # noqa: E402
from journeys.runtime import advance_due  # noqa: E402

import_module(settings.ROOT_URLCONF)  # once here, not in every child
doorbell._bell = lambda: SimpleNamespace(press=lambda _: None)  # a thread that imports does not survive a fork
JOURNAL = Path(os.environ["HOGSEND_STATE_DIR"]) / "provider.log"
emails._frozen = journeys._frozen = False
Email("storm-hello", category="journey", subject="Hello")
Email("storm-bye", category="journey", subject="Bye")
del settings.DATABASES["default"]["OPTIONS"]["pool"]  # its threads do not survive a fork
settings.TEMPLATES[0]["DIRS"] = [Path(__file__).parent / "templates"]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Dies at the n-th boundary it is told of, or only counts them."""

    def __init__(self, fatal: int | None) -> None:
        self.fatal, self.count = fatal, 0

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.fatal:
            die()


boundary = Countdown(None)


class MortalProvider(BaseEmailBackend):
    """Accepts a message by writing it down; the worker may die before or after that."""

    def send_messages(self, messages: Any) -> int:
        for message in messages:
            boundary()
            with JOURNAL.open("a") as journal:
                journal.write(f"{message.to[0]} {message.subject}\n")
            boundary()
        return len(messages)


@journey(id="storm", trigger="storm.go", entry_limit="unlimited")
def storm(user: Any, ctx: Any) -> None:
    ctx.history.has_event("storm.go")
    send_email(user, "storm-hello")
    ctx.once("number", lambda: boundary() or 7)
    ctx.checkpoint("greeted")
    ctx.sleep(hours(1), label="nap")
    ctx.now()
    send_email(user, "storm-bye")


def mortal_database(*, statements: bool) -> None:
    """Tell the countdown before and after every commit and, if wanted, between all statements."""
    commit = BaseDatabaseWrapper._commit

    def mortal(self: BaseDatabaseWrapper) -> None:
        boundary()
        commit(self)
        boundary()

    BaseDatabaseWrapper._commit = mortal  # type: ignore[method-assign]

    execute = Cursor.execute

    def told(self: Any, *arguments: Any, **options: Any) -> Any:
        boundary()
        return execute(self, *arguments, **options)

    if statements:
        Cursor.execute = told  # type: ignore[method-assign]


def work(*, deliver: bool) -> None:
    """Do what workers do until nothing is due."""
    busy = 1
    while busy:
        busy = advance_due(limit=10)
        if deliver:
            busy += deliver_due(now=database_now(), limit=10)


def dies(fatal: int | None, *, deliver: bool) -> bool:
    """Work in a child that dies at boundary ``fatal``; say whether there was such a boundary."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        boundary.fatal, boundary.count = fatal, 0
        mortal_database(statements=not deliver)
        work(deliver=deliver)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the worker failed at boundary {fatal}")
    return os.WIFSIGNALED(status)


def hours_pass() -> None:
    """Let every lease, claim and wait run out."""
    past = database_now() - timedelta(seconds=1)
    JourneyRun.objects.filter(lease_until__isnull=False).update(lease_until=past)
    Wakeup.objects.update(claimed_until=None, due_at=past)
    EmailSend.objects.filter(claimed_until__isnull=False).update(claimed_until=past)
    EmailSend.objects.filter(status="queued").update(send_after=past)


def enrol(number: int) -> Contact:
    now = database_now()
    person = Contact.objects.create(
        external_id=f"storm{number}", email=f"storm{number}@example.com", first_seen_at=now, last_seen_at=now
    )
    emit_events([NewEvent(person.id, "storm.go")], now=now)
    return person


def verdict(fatal: int, person: Contact) -> dict[str, Any]:
    sends = EmailSend.objects.filter(contact=person).order_by("created_at")
    accepted = JOURNAL.read_text().splitlines() if JOURNAL.exists() else []
    runs = JourneyRun.objects.filter(contact=person)
    return {
        "fatal": fatal,
        "status": [run.status for run in runs],
        "error": [run.error for run in runs],
        "sends": [send.email_id for send in sends],
        "ledger": [send.status for send in sends],
        "accepted": [line.split()[1] for line in accepted if line.startswith(f"{person.email} ")],
        "steps": list(JourneyStep.objects.filter(run__contact=person).values_list("key", flat=True)),
        "wakeups": Wakeup.objects.filter(run__contact=person).count(),
    }


def main(story: str) -> None:
    deliver = story == "deliver"
    if deliver:
        settings.EMAIL_BACKEND = f"{__name__}.MortalProvider"
        settings.EMAIL_URL = ""
    fatal = 0
    while fatal < 1000:
        fatal += 1
        person = enrol(fatal)
        died = False
        for _ in range(2):  # the slice before the wait and the one after it
            died |= dies(fatal, deliver=deliver)
            hours_pass()
            dies(None, deliver=deliver)
            hours_pass()
        reclaim_lost(now=database_now())
        dies(None, deliver=deliver)
        sys.stdout.write(json.dumps({"died": died, **verdict(fatal, person)}) + "\n")
        if not died:
            return
    raise SystemExit("there is no end to the boundaries")


if __name__ == "__main__":
    sys.modules.setdefault("journey_nursery", sys.modules["__main__"])
    main(sys.argv[1])
