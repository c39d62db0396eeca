"""``send_email``: what a journey does most."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from emails.actions import SendRequest, queue_email
from emails.models import Origin
from journeys.answers import Sent, User
from journeys.control import NotInJourneyError
from journeys.definitions import Journey
from journeys.journal import Journal
from journeys.rules import storable


@dataclass(frozen=True, slots=True)
class Stage:
    """The run that is being played in this thread."""

    journal: Journal
    journey: Journey
    user: User


stage: Final[ContextVar[Stage]] = ContextVar("journey_stage")


def send_email(
    user: User,
    email_id: str,
    *,
    key: str | None = None,
    props: Mapping[str, Any] | None = None,
    subject: str | None = None,
    category: str | None = None,
) -> Sent:
    """Send the journey's person a mail, once: a replay gets the first answer and sends nothing.

    Whether the mail may be sent is decided, the mail rendered and both recorded in one transaction; a worker hands it
    over within moments. What comes sooner than the journey's ``suppress`` after its last mail to the person is skipped,
    with the reason ``suppress_gap``; what is transactional is not.

    Args:
        user: The ``user`` of ``def run(user, ctx)``.
        email_id: Which e-mail, as declared by ``Email(…)``.
        key: Tells two sends of one e-mail apart that stand between the same two waits.
        props: What the templates are given, beside ``event``: the properties of the event that started the run.
        subject: Replaces the e-mail's own subject.
        category: Replaces the journey's category, or the e-mail's own.

    Raises NotInJourneyError, DuplicateStepKeyError, UnknownIdError, RenderError.
    """
    playing = _stage_of(user)
    journal = playing.journal
    step_key = storable(f"send:{key or journal.site}:{email_id}")
    found = journal.recall(step_key)
    if found is not None:
        return Sent(**json.loads(found.result or "{}"))
    request = SendRequest(
        contact_id=journal.lease.contact_id,
        email_id=email_id,
        origin=Origin.JOURNEY,
        origin_id=playing.journey.id,
        run_id=user.run_id,
        idempotency_key=f"journeySend:{user.run_id}:{step_key}",
        props={"event": dict(user.properties), **(props or {})},
        category=category or playing.journey.category,
        subject=subject,
        gap=playing.journey.suppress,
    )
    return Sent(**journal.write_with(lambda now: (step_key, "send", _queue(journal, request, now))))


def _stage_of(user: User) -> Stage:
    playing = stage.get(None)
    if playing is None:
        raise NotInJourneyError(
            "send_email works only inside the function of a journey, in its own thread. Elsewhere, use POST /v1/emails."
        )
    if not isinstance(user, User) or user.run_id != playing.user.run_id:
        raise NotInJourneyError(
            "send_email writes to the person of the journey; pass it the user that run(user, ctx) was given."
        )
    return playing


def _queue(journal: Journal, request: SendRequest, now: datetime) -> dict[str, str]:
    # The run may have followed its person into another contact since the request was made.
    decision = queue_email(replace(request, contact_id=journal.lease.contact_id), now=now)
    return {
        "send_id": str(decision.send_id),
        "status": decision.status.value,
        "reason": decision.reason.value if decision.reason else "",
    }
