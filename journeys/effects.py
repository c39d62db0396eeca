"""What a journey does to the world beside sending: events, facts about the person, analytics, calls to elsewhere."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction

from contacts.rules import Keys
from events.rules import MAX_NAME
from events.submission import Submission
from events.wire import decode_event
from hogsend.api.errors import ApiError
from hogsend.api.parsers import check_json
from journeys.actions.capture import SET, note_capture
from journeys.actions.cause import Cause, cause_event, describe_person, hold_people, keys_of_person, record_caused
from journeys.actions.lease import Lease
from journeys.actions.record import record_steps
from journeys.control import JourneyError, JourneyExited
from journeys.journal import Journal
from journeys.rules import storable, to_json

LONGEST_NAMES: Final = 200
NO_KEY: Final = "POSTHOG_API_KEY is not set, so PostHog hears nothing."
REPEATED: Final = "It was recorded before, under the same key of this run."

log = structlog.get_logger(__name__)


class EventRefusedError(JourneyError):
    """``ctx.trigger`` was given an event that the public API would refuse; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """What became of an event that a journey caused.

    Attributes:
        event_id: The event's id; empty if it was not stored.
        reason: Why it was not stored, or an empty text.
    """

    event_id: str
    stored: bool
    reason: str = ""


class Effects:
    """The effects of ``ctx``. Each is done once: a replay gets the first answer and does nothing."""

    _journal: Journal

    @property
    def posthog(self) -> "PostHog":
        """What PostHog is told about the person."""
        return PostHog(self._journal)

    def trigger(
        self,
        event: str,
        properties: Mapping[str, Any] | None = None,
        *,
        user_id: str | None = None,
        email: str | None = None,
        anonymous_id: str | None = None,
        key: str | None = None,
    ) -> Triggered:
        """Record an event, as if it had come from outside: it starts and ends journeys and moves people in buckets.

        Args:
            event: The exact name; those that begin with ``bucket:``, ``journey:``, ``email.`` or ``contact.`` are ours.
            properties: Facts about what happened, as JSON has them.
            user_id: Whose event it is, if not the journey's person's. Somebody else is known by what is given here and
                nothing else; nothing of the journey's person goes along.
            email: An address of theirs, beside the user id or instead.
            anonymous_id: A visitor's id of theirs, beside the others or instead.
            key: Tells two events of one name apart that stand between the same two waits.

        An event that ends this very run is recorded, and the run ends here. Journeys that start each other in a circle
        come to an end: what is too far from the first event is not stored, and ``reason`` says so.

        Raises EventRefusedError for what POST /v1/events would refuse, DuplicateStepKeyError.
        """
        journal, lease = self._journal, self._journal.lease
        named = {"userId": user_id, "email": email, "anonymousId": anonymous_id}
        other = any(value is not None for value in named.values())
        asked = _checked(event, properties, named if other else {"userId": str(lease.contact_id)}, journal.now())
        step_key = storable(f"trigger:{key or journal.site}:{event}")
        found = journal.recall(step_key)
        if found is not None:
            return Triggered(**json.loads(found.result or "{}"))
        cause = Cause(
            name=asked.name,
            properties=asked.properties,
            keys=asked.keys if other else Keys(),
            idempotency_key=f"journeyTrigger:{lease.run_id}:{step_key}",
        )
        return Triggered(**_perform(journal, lambda _: cause.keys, lambda now: _trigger(lease, cause, step_key, now)))

    def identify(self, properties: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Write properties of the person, name by name; None removes one. PostHog is told too, where it is connected.

        Example: ``ctx.identify(plan="pro", trial_ends_at=None)``, or a dict for names that Python cannot spell.

        Raises TypeError for nothing at all and for what is not JSON, ValueError for what cannot be stored.
        """
        journal, lease = self._journal, self._journal.lease
        given = {**(properties or {}), **more}
        if not given:
            raise TypeError("ctx.identify needs at least one property, like ctx.identify(plan='pro').")
        patch = json.loads(to_json(given, what="What ctx.identify was given"))
        step_key = journal.numbered(f"identify:{journal.site}:{','.join(sorted(patch))[:LONGEST_NAMES]}")
        if journal.recall(step_key) is not None:
            return

        def effect(now: datetime) -> tuple[str, str, Any]:
            describe_person(lease, patch, now=now)
            captured = note_capture(lease.contact_id, name=SET, properties={SET: patch}, now=now)
            return step_key, "identify", {"names": sorted(patch), "capture": str(captured or "")}

        _perform(journal, lambda held: keys_of_person(held.contact_id), effect)

    def step(self, key: str, fn: Callable[[str], Any]) -> Any:
        """Call ``fn(idempotency_key)`` and record its result, which must be JSON; a replay gets it without the call.

        For what happens elsewhere, such as a request to another service. If the worker dies during the call, it is made
        again with the same key: pass that on, and the other side can tell that it is the same. What ``fn`` raises
        fails the run; a retry calls it again.

        Example: ``ctx.step("coupon", lambda key: shop.create_coupon(percent=20, idempotency_key=key))``
        """
        journal = self._journal
        step_key = storable(f"step:{key}")
        found = journal.recall(step_key)
        if found is not None:
            return json.loads(found.result or "null")
        if journal.notes:
            journal.write()
        result = journal.note(step_key, "step", fn(f"journeyStep:{journal.lease.run_id}:{step_key}"))
        journal.check()
        journal.write()
        return result


class PostHog:
    """What a journey tells PostHog about its person; nothing, on record, where POSTHOG_API_KEY is not set."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def capture(self, event: str, properties: Mapping[str, Any] | None = None, *, key: str | None = None) -> None:
        """Let PostHog have an event of the person, once; it arrives within moments, or when PostHog answers again.

        Args:
            event: Its name in PostHog.
            properties: Facts about what happened, as JSON has them, of at most 64 KiB.
            key: Tells two events of one name apart that stand between the same two waits.

        Raises TypeError for what is not JSON, ValueError for what cannot be stored, DuplicateStepKeyError.
        """
        journal = self._journal
        if not isinstance(event, str) or not event.strip() or len(event) > MAX_NAME:
            raise ValueError(f"ctx.posthog.capture needs a name of 1 to {MAX_NAME} characters; it got {event!r}.")
        said = json.loads(to_json(dict(properties or {}), what=f"What ctx.posthog.capture({event!r}) was given"))
        step_key = storable(f"capture:{key or journal.site}:{event}")
        if journal.recall(step_key) is not None:
            return

        def effect(now: datetime) -> tuple[str, str, Any]:
            captured = note_capture(journal.lease.contact_id, name=storable(event), properties=said, now=now)
            return step_key, "capture", {"capture": str(captured or ""), "reason": "" if captured else NO_KEY}

        journal.write_with(effect)


def _checked(
    event: str, properties: Mapping[str, Any] | None, whom: dict[str, str | None], now: datetime
) -> Submission:
    """Hold an event against the rules of the public API."""
    body = {"name": event, "eventProperties": properties and dict(properties), **whom}
    try:
        return decode_event(_encoded(body), tenant="main", now=now)
    except (ApiError, TypeError, ValueError) as error:
        raise EventRefusedError(f"ctx.trigger cannot record {event!r}: {error}") from error


def _encoded(body: dict[str, Any]) -> bytes:
    sent = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    if len(sent) > settings.HOGSEND_MAX_BODY_BYTES:
        raise ValueError(f"it has more than {settings.HOGSEND_MAX_BODY_BYTES:,} bytes; send an id instead.")
    check_json(sent)
    return sent


def _trigger(lease: Lease, cause: Cause, step_key: str, now: datetime) -> tuple[str, str, Any]:
    if lease.hop >= settings.HOGSEND_MAX_HOPS:
        log.warning("journeys.too_many_hops", run_id=str(lease.run_id), name=cause.name, hop=lease.hop)
        far = f"{lease.hop} events led to this run, each by the one before; journeys that start each other end here."
        return step_key, "trigger", asdict(Triggered("", stored=False, reason=far))
    recorded = cause_event(lease, cause, now=now)
    triggered = Triggered(str(recorded.id), stored=True) if recorded else Triggered("", stored=False, reason=REPEATED)
    return step_key, "trigger", asdict(triggered)


def _perform(
    journal: Journal, keys: Callable[[Lease], Keys], effect: Callable[[datetime], tuple[str, str, Any]]
) -> Any:
    """Do ``effect(now)`` and record the step (key, kind, result) that it returns, in one transaction.

    Unlike with ``journal.write_with`` the run is proved to be ours before, because the effect itself may end it or, by
    a merge, give it to somebody else; the slice then ends, or goes on for that person.
    """
    lease, mark = journal.lease, journal.mark()
    results: list[Any] = []

    def attempt() -> bool:
        journal.restore(mark)
        with transaction.atomic():
            now = hold_people(lease.contact_id, keys(lease))
            if now is None or not record_steps(lease, journal.notes, node=journal.site):
                return False
            results[:] = [journal.note(*effect(now))]
            results.append(record_caused(lease, journal.notes[mark[0] :]))
        return True

    try:
        journal.insist(attempt)
    except BaseException:
        # What was undone must not be written later as if it had happened.
        journal.restore(mark)
        raise
    journal.notes.clear()
    answer, (lease.contact_id, live) = results
    if not live:
        journal.end(JourneyExited())
    return answer
