from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from buckets.actions import reconcile
from buckets.definitions import index
from buckets.models import BucketMembership, DwellDue, WindowEdge
from contacts.actions import identify
from contacts.models import Contact
from contacts.rules import Keys
from emails.models import EmailSend
from events.actions import emit_events
from events.definitions import NewEvent
from events.models import Event
from journeys.actions.lease import database_now
from journeys.models import JourneyRun, Wakeup
from journeys.runtime import advance_due

# What buckets look at, which has to grow older when time passes.
AGING = {
    Event: ["occurred_at", "received_at"],
    BucketMembership: ["entered_at", "left_at", "leave_due_at", "max_dwell_at"],
    DwellDue: ["due_at"],
    WindowEdge: ["edge_at"],
}


class Person:
    """Somebody who goes through the journeys and buckets of this product, played by the real engine."""

    def __init__(self, key: str) -> None:
        self.key = key
        identify(keys=Keys(key, f"{key}@example.com"), now=database_now())
        self.contact = Contact.objects.get(external_id=key)
        self._tick()

    def does(self, name: str, *, times: int = 1, **properties: Any) -> None:
        """Do something, once or several times, and let every journey go on as far as it can."""
        emit_events([NewEvent(self.contact.id, name, properties)] * times, now=database_now())
        self._advance()

    def becomes(self, **properties: Any) -> None:
        """Have other properties from now on."""
        identify(keys=Keys(self.key), patch=properties, now=database_now())
        self._advance()

    def waits(self, duration: timedelta) -> None:
        """Let ``duration`` pass: what is due by then happens."""
        for model, fields in AGING.items():
            model.objects.update(**{name: F(name) - duration for name in fields})
        self._tick()
        due = Wakeup.objects.filter(due_at__lte=database_now() + duration)
        due.update(due_at=database_now())
        self._advance()

    @property
    def mails(self) -> list[str]:
        return [send.email_id for send in EmailSend.objects.filter(contact=self.contact).order_by("created_at", "id")]

    def status(self, journey_id: str) -> str:
        return JourneyRun.objects.get(contact=self.contact, journey_id=journey_id).status

    def did(self, name: str) -> int:
        """Say how often something was recorded."""
        return Event.objects.filter(contact=self.contact, name=name).count()

    def _tick(self) -> None:
        for bucket in index().enabled():
            reconcile(bucket, now=database_now())

    def _advance(self) -> None:
        while advance_due(limit=100):
            pass


@pytest.fixture
def ada(db: None) -> Person:  # noqa: ARG001 - asked for its effect
    return Person("ada")
