"""Journeys as they look on the wire: decoding, refusals that say what to do, and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from conditions.durations import duration_data
from conditions.property import PropertyCondition
from hogsend.api.decoding import decode_body, fields_refused
from hogsend.api.errors import ApiError
from hogsend.lib.fields import MAX_ID, InvalidFieldError, check_address, check_patch, check_text
from hogsend.lib.wire import wire_time
from journeys.actions.invite import EnrolAnswer, EnrolResult
from journeys.chronicle import Entry
from journeys.definitions import Journey
from journeys.models import JourneyOverride, JourneyRun, RunStatus
from journeys.overview import Awaited, Overview, is_on
from journeys.queries import RunsOfCode

NOTHING_TO_DO = "Say what to change: enabled, paused, or both, each true or false."
MOST_AT_ONCE = 500


class SwitchBody(msgspec.Struct):
    """The JSON that switches or pauses a journey. Unknown fields are ignored, and null means absent, here and below."""

    enabled: bool | None = None
    paused: bool | None = None


class EnrolBody(msgspec.Struct, rename="camel"):
    """The JSON that names somebody who is to enter, and what the run is told."""

    user_id: str
    user_email: str | None = None
    properties: dict[str, msgspec.Raw] | None = None


class BatchBody(msgspec.Struct):
    """The JSON that names many."""

    users: Annotated[list[EnrolBody], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who is to enter, as a request names them."""

    user_id: str
    email: str | None
    properties: dict[str, Any]


_switch = msgspec.json.Decoder(SwitchBody)
_enrol = msgspec.json.Decoder(EnrolBody)
_batch = msgspec.json.Decoder(BatchBody)


def decode_switch(body: bytes) -> SwitchBody:
    """Read what is to change. Raises ApiError 400 with the field, as all of these do."""
    found = decode_body(body, _switch.decode)
    if found.enabled is None and found.paused is None:
        raise ApiError(400, NOTHING_TO_DO, [{"path": [], "code": "required", "message": NOTHING_TO_DO}])
    return found


def decode_enrol(body: bytes) -> Invited:
    """Read who is to enter."""
    with fields_refused():
        return _invited(decode_body(body, _enrol.decode))


def decode_batch(body: bytes) -> list[Invited]:
    """Read who are to enter; whoever cannot be read keeps everybody out."""
    found = []
    with fields_refused():
        for place, user in enumerate(decode_body(body, _batch.decode).users):
            try:
                found.append(_invited(user))
            except InvalidFieldError as error:
                path = ["users", place, *error.path]
                raise InvalidFieldError(f"users.{place}: {error.message}", path=path, code=error.code) from error
    return found


def _invited(user: EnrolBody) -> Invited:
    user_id, email = user.user_id.strip(), (user.user_email or "").strip() or None
    if not user_id:
        raise InvalidFieldError("userId is empty; say who is to enter.", path=["userId"], code="required")
    check_text(user_id, field="userId", limit=MAX_ID)
    check_address(email, field="userEmail")
    check_patch(user.properties, field="properties")
    read = {name: msgspec.json.decode(value) for name, value in (user.properties or {}).items()}
    return Invited(user_id, email, read)


def journey_body(seen: Overview) -> dict[str, Any]:
    """Build the JSON of a journey in a list."""
    journey = seen.journey
    return {
        "id": journey.id,
        "name": journey.name,
        **({"description": journey.description} if journey.description else {}),
        "enabled": seen.enabled,
        "paused": seen.override.paused,
        "trigger": {"event": journey.trigger},
        "entryLimit": journey.entry_limit.value,
        **({"sourceBucketId": journey.bucket_id} if journey.bucket_id else {}),
        "counts": seen.counts,
    }


def detail_body(
    seen: Overview, *, recent: Sequence[dict[str, Any]], code: Sequence[RunsOfCode], skips: dict[str, int]
) -> dict[str, Any]:
    """Build the JSON of one journey: beside that of a list, its declaration, its code, and what happened lately."""
    journey = seen.journey
    period = {} if journey.entry_period is None else {"entryPeriod": duration_data(journey.entry_period)}
    return {
        **journey_body(seen),
        "trigger": {"event": journey.trigger, **_where(journey.where)},
        **period,
        "exitOn": [{"event": rule.event, **_where(rule.where)} for rule in journey.exit_on],
        "suppress": duration_data(journey.suppress) if journey.suppress > timedelta(0) else {"seconds": 0},
        "category": journey.category,
        "codeHash": journey.code_hash,
        "version": journey.version,
        "runsByCode": [{"version": one.version, "codeHash": one.code_hash, "live": one.runs} for one in code],
        "skippedIn7Days": skips,
        "recentStates": recent,
    }


def switched_body(journey: Journey, override: JourneyOverride) -> dict[str, Any]:
    """Build the JSON of a journey that was switched or paused."""
    return {
        "id": journey.id,
        "name": journey.name,
        "enabled": is_on(journey, override),
        "paused": override.paused,
        "updatedAt": wire_time(override.updated_at),
    }


def state_body(run: JourneyRun, awaited: Awaited | None) -> dict[str, Any]:
    """Build the JSON of a run."""
    contact = run.contact
    return {
        "id": str(run.id),
        "userId": contact.external_id or contact.anonymous_id or str(contact.pk),
        "userEmail": contact.email or "",
        "contactId": str(contact.pk),
        "journeyId": run.journey_id,
        "currentNodeId": run.node,
        "status": run.status,
        "hatchetRunId": None,
        "context": run.context,
        "errorMessage": run.error or None,
        "exitReason": run.exit_reason or None,
        "entryCount": run.entry_number,
        "waitsFor": None if awaited is None else awaited_body(awaited),
        "waitsUntil": None if awaited is None else wire_time(awaited.until),
        "codeHash": run.code_hash,
        "version": run.version,
        "completedAt": wire_time(run.ended_at) if run.status == RunStatus.COMPLETED else None,
        "exitedAt": wire_time(run.ended_at) if run.status == RunStatus.EXITED else None,
        "createdAt": wire_time(run.created_at),
        "updatedAt": wire_time(run.progressed_at),
    }


def awaited_body(awaited: Awaited) -> dict[str, Any]:
    """Build the JSON of what a run waits for."""
    event = {} if awaited.event is None else {"event": awaited.event, "where": list(awaited.where)}
    return {"kind": awaited.kind, "label": awaited.label, **event}


def log_body(entry: Entry) -> dict[str, Any]:
    """Build the JSON of one thing that happened to a run."""
    return {
        "id": entry.id,
        "fromNodeId": entry.from_node,
        "toNodeId": entry.to_node,
        "action": entry.action,
        "detail": entry.detail,
        "createdAt": wire_time(entry.at),
    }


def enrolled_body(user_id: str, answer: EnrolAnswer) -> dict[str, Any]:
    """Build the JSON of what became of somebody who was to enter."""
    return {
        "userId": user_id,
        "enrolled": answer.result is EnrolResult.ENROLLED,
        "result": answer.result.value,
        "reason": answer.reason or None,
        "message": answer.sentence,
        "stateId": None if answer.run_id is None else str(answer.run_id),
    }


def _where(where: Sequence[PropertyCondition]) -> dict[str, Any]:
    return {"where": [condition.as_data() for condition in where]} if where else {}
