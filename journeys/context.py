"""What a journey can do: the ``ctx`` of ``def run(user, ctx)``."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn

from emails.queries import email_history
from journeys.answers import EmailHistory, HasEvent, JourneyHistory, User
from journeys.definitions import Journey
from journeys.deploys import Deploys
from journeys.effects import Effects
from journeys.journal import Journal
from journeys.queries import event_count, journey_past
from journeys.rules import storable
from journeys.scheduling import Scheduling
from journeys.waits import Waits
from preferences.queries import consent_of


class Context(Waits, Effects, Scheduling, Deploys):
    """Waits, reads and ends of one run. Every answer is recorded: a replay gets the same one.

    Attributes:
        history: What the person did, received and went through.
        guard: What the person allows.
    """

    def __init__(self, journal: Journal, journey: Journey) -> None:
        self._journal = journal
        self._journey = journey
        self.history = History(journal)
        self.guard = Guard(journal)
        self.user = self._introduce()

    def _introduce(self) -> User:
        lease = self._journal.lease
        known = self._journal.read("user", "user", lambda: {"id": lease.user_key, "email": lease.email or ""})
        return User(
            known["id"],
            known["email"],
            lease.context,
            lease.contact_id,
            lease.run_id,
            self._journey.id,
            self._journey.name,
        )

    def checkpoint(self, label: str) -> None:
        """Name this place: the admin shows it, and the following mails take their keys from it."""
        self._journal.site = self._journal.numbered(label)
        key = f"checkpoint:{self._journal.site}"
        if self._journal.recall(key) is None:
            self._journal.note(key, "checkpoint", None)
            self._journal.write()

    def now(self) -> datetime:
        """Return the time, the same in every replay. Use it in place of ``datetime.now()``."""
        found = self._journal.read(f"now:{self._journal.site}", "now", lambda: self._journal.now().isoformat())
        return datetime.fromisoformat(found)

    def once(self, key: str, fn: Callable[[], Any]) -> Any:
        """Call ``fn`` and record its result, which must be JSON; a replay gets the result without the call.

        If the worker dies during the call, it is made again. Raises TypeError or ValueError for other results.
        """
        step_key = storable(f"once:{key}")
        found = self._journal.recall(step_key)
        if found is not None:
            return json.loads(found.result or "null")
        if self._journal.notes:
            self._journal.write()
        result = self._journal.note(step_key, "once", fn())
        self._journal.check()
        self._journal.write()
        return result

    def exit(self, reason: str = "") -> NoReturn:
        """End the run here, as exited, for this reason."""
        self._journal.leave(storable(reason) or "by_journey")


class History:
    """What the person did, received and went through. Every answer is recorded."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def has_event(self, name: str, within: timedelta | None = None) -> HasEvent:
        """Say whether the person ever did ``name``, or did it within the last ``within``."""

        def ask() -> int:
            since = None if within is None else self._journal.now() - within
            return event_count(contact_id=self._journal.lease.contact_id, name=name, since=since)

        count = self._journal.read(f"history.event:{self._journal.site}:{name}", "history", ask)
        return HasEvent(count > 0, count)

    def journey(self, journey_id: str) -> JourneyHistory:
        """Return the person's past with a journey, this run included if it is one of them."""

        def ask() -> list[Any]:
            entries, last = journey_past(contact_id=self._journal.lease.contact_id, journey_id=journey_id)
            return [entries, last and last.isoformat()]

        entries, last = self._journal.read(f"history.journey:{self._journal.site}:{journey_id}", "history", ask)
        return JourneyHistory(last is not None, last and datetime.fromisoformat(last), entries)

    def email(self, email_id: str) -> EmailHistory:
        """Return what the person was sent of an e-mail; only what a provider accepted counts."""

        def ask() -> list[Any]:
            count, last = email_history(self._journal.lease.contact_id, email_id)
            return [count, last and last.isoformat()]

        count, last = self._journal.read(f"history.email:{self._journal.site}:{email_id}", "history", ask)
        return EmailHistory(count > 0, last and datetime.fromisoformat(last), count)


class Guard:
    """What the person allows. Every answer is recorded; sending asks again by itself."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def is_subscribed(self, category: str | None = None) -> bool:
        """Say whether the person takes mail at all, or, with ``category``, mail of that category."""

        def ask() -> bool:
            consent = consent_of([self._journal.lease.contact_id]).get(self._journal.lease.contact_id)
            if consent is None or consent.unsubscribed_all:
                return False
            return category is None or consent.allows(category)

        found: bool = self._journal.read(f"guard:{self._journal.site}:{category or ''}", "guard", ask)
        return found
