from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections

from contacts.models import Contact
from emails.definitions import Email
from emails.definitions import registry as emails
from emails.models import EmailSend
from events.actions import emit_events
from events.definitions import NewEvent, RecordedEvent
from journeys.actions.lease import database_now
from journeys.definitions import registry as journeys
from journeys.models import JourneyRun, JourneyStep, Wakeup
from journeys.runtime import advance_due

TEMPLATES = Path(__file__).parent / "templates"


@contextmanager
def scratch_content() -> Iterator[None]:
    """Three mails, and no journey but those that the test declares."""
    with ExitStack() as stack:
        stack.enter_context(journeys.scratch())
        stack.enter_context(emails.scratch())
        journeys._items.clear()
        emails._items.clear()
        Email("hello", category="journey")
        Email("bye", category="journey")
        Email("news", category="journey")
        yield


@pytest.fixture(autouse=True)
def content(settings: Any) -> Iterator[None]:
    engine = django_settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], TEMPLATES]}]
    with scratch_content():
        yield


class World:
    """What a test does to the product, in its words."""

    def person(self, key: str = "ada", **fields: Any) -> Contact:
        now = database_now()
        fields.setdefault("email", f"{key}@example.com")
        return Contact.objects.create(external_id=key, first_seen_at=now, last_seen_at=now, **fields)

    def event(self, person: Contact, name: str, **properties: Any) -> RecordedEvent:
        [recorded] = emit_events([NewEvent(person.id, name, properties)], now=database_now())
        assert recorded is not None
        return recorded

    def advance(self) -> None:
        """Let a worker advance runs until nothing is due."""
        while advance_due(limit=50):
            pass

    def wake(self) -> None:
        """Move the clock to the end of all waits, and advance."""
        Wakeup.objects.update(due_at=database_now() - timedelta(seconds=1), claimed_until=None)
        self.advance()

    def run(self, person: Contact | None = None) -> JourneyRun:
        runs = JourneyRun.objects.order_by("-created_at", "-id")
        return runs.filter(contact=person)[0] if person else runs[0]

    def sent(self, person: Contact | None = None) -> list[str]:
        sends = EmailSend.objects.order_by("created_at", "id")
        return [send.email_id for send in (sends.filter(contact=person) if person else sends)]

    def steps(self, run: JourneyRun | None = None) -> list[str]:
        return [step.key for step in JourneyStep.objects.filter(run=run or self.run())]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def facts() -> SimpleNamespace:
    """A place where a journey leaves what it saw."""
    return SimpleNamespace(calls=[])


@pytest.fixture
def in_thread() -> Callable[..., Any]:
    """Wrap a function so that a thread gives its database connection back."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any) -> Any:
            try:
                return function(*args)
            finally:
                connections.close_all()

        return inner

    return wrap


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
