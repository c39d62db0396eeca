import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.db import transaction

from contacts.models import Contact
from emails.actions import SendRequest, queue_email
from emails.definitions import Email, registry
from emails.models import EmailSend, Origin
from lists.definitions import EmailList
from lists.definitions import registry as lists

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(autouse=True)
def _content(settings):
    """Four e-mails and a list that has to be joined, with their templates beside this file."""
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [Path(__file__).parent / "templates"]
    settings.TEMPLATES = templates
    settings.API_PUBLIC_URL = "https://api.example"
    settings.DEFAULT_FROM_EMAIL = "Shop <hi@shop.example>"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with registry.scratch(), lists.scratch():
        Email("sample/welcome", category="journey")
        Email("sample/reset", category="transactional")
        Email("sample/news", category="weekly")
        Email("sample/broken", category="journey")
        EmailList("weekly", name="Weekly news", default_opt_in=False)
        yield


@pytest.fixture
def person() -> Callable[..., Contact]:
    """Create a person: ``person("ada", properties={…})``."""

    def person(name: str = "ada", **fields) -> Contact:
        given = {
            "external_id": name,
            "email": f"{name}@example.com",
            "first_seen_at": NOW,
            "last_seen_at": NOW,
            **fields,
        }
        return Contact.objects.create(**given)

    return person


@pytest.fixture
def queued(person) -> Callable[..., EmailSend]:
    """Queue a mail and return its row: ``queued(ada, email_id="sample/reset")``; to a new ada if to nobody."""

    def queued(contact: Contact | None = None, *, at: datetime = NOW, **fields) -> EmailSend:
        request = {"email_id": "sample/welcome", "origin": Origin.API, **fields}
        with transaction.atomic():
            decision = queue_email(SendRequest(contact_id=(contact or person()).id, **request), now=at)
        return EmailSend.objects.get(id=decision.send_id)

    return queued


class Sink:
    """An SMTP server of the test: says what it is told to say, and keeps what it has accepted.

    ``says`` maps MAIL, RCPT or DATA to a reply, to "drop" or to "hang"; ``says_to`` does so for one recipient only.
    ``during`` is called when a message has come in whole and is not yet answered.
    """

    def __init__(self) -> None:
        self.says: dict[str, str] = {}
        self.says_to: dict[str, dict[str, str]] = {}
        self.during: Callable[[], None] = lambda: None
        self.came_in: list[bytes] = []
        self.accepted: list[bytes] = []
        self.connections = 0
        self.whole = threading.Event()
        self.released = threading.Event()

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=default) for raw in self.accepted]

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, _session, envelope, address, _options):  # noqa: N802
        reply = await self._say("MAIL", server, "") or "250 OK"
        envelope.mail_from = address if reply.startswith("2") else None
        return reply

    async def handle_RCPT(self, server, _session, envelope, address, _options):  # noqa: N802
        reply = await self._say("RCPT", server, address) or "250 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        self.came_in.append(envelope.content)
        self.whole.set()
        await server.loop.run_in_executor(None, self.during)
        reply = await self._say("DATA", server, envelope.rcpt_tos[0]) or "250 queued"
        if reply.startswith("2"):
            self.accepted.append(envelope.content)
        return reply

    async def _say(self, step: str, server, address: str) -> str | None:
        words = self.says_to.get(address, {}).get(step) or self.says.get(step)
        if words == "drop":
            server.transport.abort()
            return "421 dropped"
        if words == "hang":
            await server.loop.run_in_executor(None, self.released.wait)
            return "421 too late"
        return words


@contextlib.contextmanager
def serving(sink: Sink) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        sink.released.set()
        controller.stop()


@pytest.fixture
def sink(settings) -> Iterator[Sink]:
    """A listening SMTP server, to which the settings point."""
    sink = Sink()
    with serving(sink) as port:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 10
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        sink.connections = 0
        yield sink
