"""How a journey waits: for a time, or for something to happen."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from conditions.reading import Where, property_conditions
from journeys.answers import Slept, Waited
from journeys.event_wait import EventWait
from journeys.journal import Journal
from journeys.rules import duration_label


class Waits:
    """The waits of ``ctx``. A run that waits takes no worker, for however long."""

    _journal: Journal

    def sleep(self, duration: timedelta, label: str | None = None) -> Slept:
        """Wait for exactly ``duration``; the run takes no worker meanwhile, and there is no upper limit.

        Args:
            duration: For example ``days(2)``. Once the wait has begun, changing it changes nothing.
            label: Names the wait, and the place from which the following mails take their keys. Give one whenever the
                duration is computed.

        Raises TypeError for what is no duration, ValueError for a negative one.
        """
        _require_duration("ctx.sleep", duration)
        return self._wait(label or f"wait:{duration_label(duration)}", lambda now: now + duration)

    def sleep_until(self, moment: datetime | str, label: str | None = None) -> Slept:
        """Wait until ``moment``, a datetime with a zone or ISO 8601 text with an offset; what is past is at once.

        Raises TypeError for anything else.
        """
        target = _moment(moment)
        return self._wait(label or f"wait-until:{target.isoformat()}", lambda _: target)

    def wait_for_event(
        self,
        event: str,
        *,
        timeout: timedelta,
        where: Where = (),
        lookback: timedelta | None = None,
        label: str | None = None,
    ) -> Waited:
        """Wait until the person does ``event``, at most for ``timeout``; whichever comes first counts.

        Args:
            event: The exact name of the event.
            timeout: For example ``days(3)``, without upper limit. Once the wait has begun, changing it changes nothing.
            where: Conditions on the properties of the event, all of which must hold; others leave the run waiting.
            lookback: Also take an event that happened in this time before the wait began, be it the one that started
                the journey.
            label: Names the wait, and the place from which the following mails take their keys.

        Returns what came: true in an ``if``, with its properties; false if nothing did.

        Raises TypeError for what is no duration, ValueError for a negative one or a name that none can be,
        ConditionError for a condition that means nothing.
        """
        if not isinstance(event, str) or not event.strip():
            raise ValueError(f"ctx.wait_for_event needs the exact name of an event; it got {event!r}.")
        _require_duration("ctx.wait_for_event(timeout=…)", timeout)
        if lookback is not None:
            _require_duration("ctx.wait_for_event(lookback=…)", lookback)
        journal = self._journal
        journal.site = journal.numbered(label or f"wait-event:{event}")
        key = f"event:{journal.site}"
        step = journal.recall(key)
        if step is not None and step.result is not None:
            return _waited(json.loads(step.result))
        return _waited(journal.await_event(key, EventWait(event, property_conditions(where), timeout, lookback), step))

    def _wait(self, label: str, deadline: Callable[[datetime], datetime]) -> Slept:
        journal = self._journal
        journal.site = journal.numbered(label)
        key = f"sleep:{journal.site}"
        step = journal.recall(key)
        if step is not None and step.result is not None:
            return _slept(json.loads(step.result))
        now = journal.now()
        until = deadline(now) if step is None else step.deadline or now
        if until > now and not (step is not None and journal.is_over(key, step)):
            journal.suspend(key, until, step, now=now)
        began = now if step is None else step.created_at
        return _slept(journal.note(key, "sleep", {"slept_at": began.isoformat(), "resumed_at": now.isoformat()}))


def _require_duration(what: str, duration: object) -> None:
    if not isinstance(duration, timedelta):
        raise TypeError(f"{what} takes a duration, like days(2); it got {duration!r}.")
    if duration < timedelta(0):
        raise ValueError(f"{what} cannot be {duration!r}; the duration must not be negative.")


def _moment(moment: object) -> datetime:
    sentence = f"ctx.sleep_until takes a datetime with a zone, or text like '2026-05-01T09:00:00Z'; it got {moment!r}."
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise TypeError(sentence) from None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise TypeError(sentence)
    return moment.astimezone(UTC)


def _slept(found: dict[str, str]) -> Slept:
    return Slept(datetime.fromisoformat(found["slept_at"]), datetime.fromisoformat(found["resumed_at"]))


def _waited(found: dict[str, Any]) -> Waited:
    occurred_at = found.get("occurred_at")
    return Waited(found["timed_out"], found.get("properties"), occurred_at and datetime.fromisoformat(occurred_at))
