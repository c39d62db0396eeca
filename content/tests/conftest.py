from datetime import timedelta
from typing import Any

import pytest

from contacts.models import Contact
from emails.models import EmailSend
from events.actions import emit_events
from events.definitions import NewEvent
from journeys.actions.lease import database_now
from journeys.models import JourneyRun, Wakeup
from journeys.runtime import advance_due


class Person:
    """Somebody who goes through the journeys of this product, played by the real engine."""

    def __init__(self, key: str) -> None:
        now = database_now()
        self.contact = Contact.objects.create(
            external_id=key, email=f"{key}@example.com", first_seen_at=now, last_seen_at=now
        )

    def does(self, name: str, **properties: Any) -> None:
        """Do something, and let every journey go on as far as it can."""
        emit_events([NewEvent(self.contact.id, name, properties)], now=database_now())
        while advance_due(limit=100):
            pass

    def waits(self, duration: timedelta) -> None:
        """Let ``duration`` pass: what is due by then happens."""
        due = Wakeup.objects.filter(due_at__lte=database_now() + duration)
        due.update(due_at=database_now())
        while advance_due(limit=100):
            pass

    @property
    def mails(self) -> list[str]:
        return [send.email_id for send in EmailSend.objects.filter(contact=self.contact).order_by("created_at", "id")]

    def status(self, journey_id: str) -> str:
        return JourneyRun.objects.get(contact=self.contact, journey_id=journey_id).status


@pytest.fixture
def ada(db: None) -> Person:  # noqa: ARG001 - asked for its effect
    return Person("ada")
