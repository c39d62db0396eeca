"""Somebody who goes through journeys in a test."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from contacts.actions import identify
from contacts.models import ContactKey
from contacts.rules import keys_of
from events.definitions import NewEvent
from events.models import Event
from journeys.testing.world import world
from preferences.actions import change_consent
from preferences.models import ConsentChange


class Person:
    """Somebody of a test: does things, changes, and lets time pass.

    Args:
        user_id: The id the product knows them by.
        email: Their address; ``<user_id>@example.com`` if not given, none if None.
        at: When the test begins, a datetime with a zone or ISO 8601 text with an offset; Monday, 5 January 2026, noon
            in UTC if not given.
        properties: What is known of them, like ``plan="pro"``.

    Raises NoTestDatabaseError without the database of a test, ValueError for a moment that is past.
    """

    def __init__(
        self, user_id: str = "ada", *, email: str | None = "", at: datetime | str | None = None, **properties: Any
    ) -> None:
        self.user_id = user_id
        self.world = world(None if at is None else moment_of(at))
        address = f"{user_id}@example.com" if email == "" else email
        self._keys = keys_of(user_id=user_id, email=address)
        self._write(properties)

    @property
    def contact_id(self) -> UUID:
        """The id of their contact, also after a merge."""
        return ContactKey.objects.get(kind="external", value=self.user_id).contact_id

    @property
    def now(self) -> datetime:
        """The time it is in the test."""
        return self.world.clock.now()

    @property
    def events(self) -> list[str]:
        """The names of all that was recorded about them, in order, but for what the engine tells of journeys."""
        told = Event.objects.filter(contact_id=self.contact_id).exclude(name__startswith="journey:")
        return list(told.order_by("seq").values_list("name", flat=True))

    def does(self, event: str, /, **properties: Any) -> Self:
        """Do something now; journeys hear of it, and go on as far as they can."""
        self.world.happens(NewEvent(self.contact_id, event, properties))
        return self

    def becomes(self, **properties: Any) -> Self:
        """Have other properties from now on."""
        self._write(properties)
        return self

    def after(self, duration: timedelta) -> Self:
        """Let ``duration`` pass; what is due on the way happens at its time."""
        if duration < timedelta(0):
            raise ValueError(f"after({duration!r}) would go back; time passes only forward.")
        self.world.move_to(self.now + duration)
        return self

    def until(self, moment: datetime | str) -> Self:
        """Let time pass until ``moment``, a datetime with a zone or ISO 8601 text with an offset."""
        self.world.move_to(moment_of(moment))
        return self

    def unsubscribes(self, category: str | None = None) -> Self:
        """Want no more mail of a category, or no mail at all."""
        return self._choose(category, subscribed=False)

    def subscribes(self, category: str | None = None) -> Self:
        """Want mail of a category, or mail at all, again."""
        return self._choose(category, subscribed=True)

    def _choose(self, category: str | None, *, subscribed: bool) -> Self:
        door = ConsentChange.Door.PAGE
        with self.world.in_play():
            change_consent(
                contact_id=self.contact_id, category=category, subscribed=subscribed, door=door, now=self.now
            )
        return self

    def _write(self, properties: Mapping[str, Any]) -> None:
        with self.world.in_play():
            identify(keys=self._keys, patch=dict(properties) or None, now=self.now)


def moment_of(moment: datetime | str) -> datetime:
    """Return a moment with its zone. Raises ValueError for one without, or for what is none."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if found.utcoffset() is None:
        raise ValueError(f"{moment!r} names no moment; add the zone, like 2026-03-06T09:00-05:00.")
    return found.astimezone(UTC)
