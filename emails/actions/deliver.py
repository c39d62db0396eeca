"""Claim what is due, hand it over row by row and record what came of each."""

import time
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from contacts.pipeline import call
from emails.actions.claim import Claimed, claim_due, release
from emails.actions.gate import Known, blocked, living_id, person_of
from emails.actions.settle import give_up_knowing, record, repeatable, skip
from emails.message import Line
from emails.models import EmailSend, Reason
from emails.outcome import Outcome, Verdict
from emails.providers import Provider, current_provider
from emails.queries import Written, send_of
from emails.statements import HOLD, START
from preferences.rules import Consent

_held = msgspec.json.Decoder(tuple[Known | None, Written | None])


class Clock:
    """The database's time, carried on: a batch may take longer than a lease."""

    def __init__(self, now: datetime) -> None:
        self._now, self._started = now, time.monotonic()

    def now(self) -> datetime:
        """Return the time it is."""
        return self._now + timedelta(seconds=time.monotonic() - self._started)


def deliver_due(*, now: datetime, limit: int = 200) -> int:
    """Hand over up to ``limit`` messages that are due; return how many were settled, one way or the other.

    Any number of deliverers may run at once: a message is handed over by the one that holds its claim, after the
    recipient's consent has been read once more. When the provider cannot be reached, the rest goes back untried.
    """
    clock, line = Clock(now), Line(current_provider())
    batch = claim_due(now=now, limit=limit)
    settled = 0
    try:
        for position, claimed in enumerate(batch, start=1):
            outcome = _deliver_one(claimed, line, clock)
            settled += outcome is None or outcome.verdict is not Verdict.RETRY
            if outcome is not None and outcome.stop:
                release(batch[position:], outcome, now=clock.now())
                break
    finally:
        line.close()
    return settled


def _deliver_one(claimed: Claimed, line: Line, clock: Clock) -> Outcome | None:
    """Deliver one row; None if it was not handed over because it is settled, or no longer ours."""
    trouble = line.open()
    send = claimed.row().first() if trouble else _begin(claimed, line.provider, now=clock.now())
    if send is None:
        return trouble
    outcome = trouble or line.hand_over(send, now=clock.now())
    record(claimed, send, outcome, provider=line.provider, now=clock.now())
    return outcome


def _begin(claimed: Claimed, provider: Provider, *, now: datetime) -> EmailSend | None:
    """Commit that this row is about to be handed over and return it as it was; None if it must not be.

    The contact's lock puts this moment in one order with every change of consent: what was withdrawn before is seen.
    """
    with transaction.atomic():
        consent, send = _hold(claimed)
        if send is None or _settled_without(claimed, send, blocked(consent, send, now=now), provider, now):
            return None
        until = now + settings.HOGSEND_MAIL_LEASE
        started = call(START, [claimed.send_id.hex, claimed.token.hex, now.isoformat(), until.isoformat()])
    return send if started == b"true" else None


def _hold(claimed: Claimed) -> tuple[Consent, EmailSend | None]:
    """Hold the person still who gets the message by now, and read what they allow and the row if it is still ours."""
    consent, send = _hold_as(claimed, claimed.contact_id)
    if send is not None and send.contact_id not in {claimed.contact_id, consent.contact_id}:
        # A merge was taken back since the claim: the message is somebody else's again.
        return _hold_as(claimed, send.contact_id)
    return consent, send


def _hold_as(claimed: Claimed, contact_id: UUID) -> tuple[Consent, EmailSend | None]:
    known, written = _asked(claimed, contact_id, merged_too=False)
    if known is None:
        contact_id = living_id(contact_id)
        known, written = _asked(claimed, contact_id, merged_too=True)
    consent = person_of(known).consent if known else Consent(contact_id, email=None, deleted=True)
    return consent, None if written is None else send_of(written)


def _asked(claimed: Claimed, contact_id: UUID, *, merged_too: bool) -> tuple[Known | None, Written | None]:
    return _held.decode(call(HOLD, [claimed.send_id.hex, claimed.token.hex, contact_id.hex, str(merged_too)]))


def _settled_without(
    claimed: Claimed, send: EmailSend, reason: Reason | None, provider: Provider, now: datetime
) -> bool:
    if send.provider_started_at is not None and (reason or not repeatable(send, provider, now=now)):
        give_up_knowing(claimed, now=now)
    elif reason:
        skip(claimed, reason, now=now)
    else:
        return False
    return True
