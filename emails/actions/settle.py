"""Record what came of one hand-over. Every update asks whether the claim still holds."""

from datetime import datetime, timedelta
from typing import Any

from contacts.pipeline import call
from emails.actions.claim import Claimed
from emails.models import EmailSend, Reason, SendStatus
from emails.outcome import Outcome, Verdict
from emails.providers import Provider
from emails.rules import MAX_ATTEMPTS, backoff
from emails.statements import ACCEPT


def record(claimed: Claimed, send: EmailSend, outcome: Outcome, *, provider: Provider, now: datetime) -> None:
    """Write the outcome of handing over ``send``, which is the row as it was before the hand-over."""
    if outcome.verdict is Verdict.ACCEPTED:
        _accept(claimed, outcome, now)
    elif outcome.verdict is Verdict.REFUSED:
        _finish(claimed, now, status=SendStatus.FAILED, reason=Reason.REFUSED, error=outcome.error)
    elif outcome.verdict is Verdict.RETRY:
        _try_later(claimed, send, outcome, now)
    else:
        _leave_open(claimed, send, outcome, provider, now)


def skip(claimed: Claimed, reason: Reason, *, now: datetime) -> None:
    """Record that the recipient's consent was withdrawn after the message had been queued."""
    _finish(claimed, now, status=SendStatus.SKIPPED, reason=reason)


def give_up_knowing(claimed: Claimed, *, now: datetime) -> None:
    """Record that nobody knows whether an earlier hand-over arrived, and that it cannot be repeated any more."""
    _finish(claimed, now, status=SendStatus.UNKNOWN)


def repeatable(send: EmailSend, provider: Provider, *, now: datetime) -> bool:
    """Tell whether the provider would still recognise a repeated hand-over of the same message."""
    window, started = provider.idempotency_window, send.provider_started_at
    return window is not None and (started is None or now - started < window)


def _accept(claimed: Claimed, outcome: Outcome, now: datetime) -> None:
    call(ACCEPT, [claimed.send_id.hex, claimed.token.hex, outcome.message_id, now.isoformat()])


def _try_later(claimed: Claimed, send: EmailSend, outcome: Outcome, now: datetime) -> None:
    repeated = send.provider_started_at is not None
    if send.attempts >= MAX_ATTEMPTS and repeated:
        _finish(claimed, now, status=SendStatus.UNKNOWN, error=outcome.error)
    elif send.attempts >= MAX_ATTEMPTS:
        _finish(claimed, now, status=SendStatus.FAILED, reason=Reason.GAVE_UP, error=outcome.error)
    else:
        _requeue(claimed, send, outcome, now, provider_started_at=send.provider_started_at)


def _leave_open(claimed: Claimed, send: EmailSend, outcome: Outcome, provider: Provider, now: datetime) -> None:
    if send.attempts < MAX_ATTEMPTS and repeatable(send, provider, now=now):
        _requeue(claimed, send, outcome, now)
    else:
        _finish(claimed, now, status=SendStatus.UNKNOWN, error=outcome.error)


def _requeue(claimed: Claimed, send: EmailSend, outcome: Outcome, now: datetime, **changes: Any) -> None:
    pause = max(backoff(send.id, attempts=send.attempts), outcome.wait or timedelta(0))
    _finish(claimed, now, status=SendStatus.QUEUED, send_after=now + pause, error=outcome.error, **changes)


def _finish(claimed: Claimed, now: datetime, **changes: Any) -> None:
    claimed.row().update(claim_token=None, claimed_until=None, updated_at=now, **changes)
