"""/v1/admin/journeys and /v1/admin/journey-logs: parse, one call, answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from uuid import UUID

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from hogsend.api.errors import ApiError
from hogsend.api.models import Scope
from hogsend.api.parameters import enabled_of, page_of, user_of
from hogsend.api.parsers import json_body
from hogsend.api.writes import written
from hogsend.clock import database_now
from journeys.actions.end import RunNotFoundError, RunStateError, cancel_run, retry_run
from journeys.actions.invite import EnrolAnswer, EnrolResult, Guest, enrol_guests
from journeys.actions.operate import set_journey, skip_wait
from journeys.chronicle import chronicle
from journeys.definitions import Journey, index
from journeys.guests import guest_of
from journeys.models import JourneyRun
from journeys.overview import awaited, journeys_here, moved_last, overviews, runs, skip_counts
from journeys.parameters import run_status_of
from journeys.queries import runs_by_code
from journeys.wire import (
    Invited,
    decode_batch,
    decode_enrol,
    decode_switch,
    detail_body,
    enrolled_body,
    journey_body,
    log_body,
    state_body,
    switched_body,
)

if TYPE_CHECKING:
    from hogsend.api.authentication import Caller

NOBODY_KNOWS = "Journey not found"
NO_STATE = "State not found"
OFF_IN_CODE = "This journey is declared with enabled=False; switch it on in the code."
NOT_LIVE = "Cannot cancel journey in '{}' status; only who is active or waiting can be taken out."


class JourneyViewSet(ViewSet):
    """The journeys that exist here: how they stand, who is on the way, and what staff can do about them."""

    @property
    def required_scope(self) -> str:
        """What reads needs ``read``; what acts needs ``journey-admin``."""
        return Scope.READ if self.request.method in SAFE_METHODS else Scope.JOURNEY_ADMIN

    def list(self, request: Request) -> Response:
        """Answer the journeys in the order of declaration: all, or those alone that are on or off."""
        page = page_of(request.query_params)
        found = journeys_here(enabled=enabled_of(request.query_params))
        shown = [journey_body(one) for one in overviews(found[page.rows])]
        return Response({"journeys": shown, **page.place(len(found))})

    def retrieve(self, _request: Request, journey_id: str) -> Response:
        """Answer one journey with its declaration, the code of its runs, and who moved last."""
        journey = _known(journey_id)
        [seen] = overviews([journey])
        skips = skip_counts([journey_id], now=database_now())[journey_id]
        body = detail_body(seen, recent=_states(moved_last(journey_id)), code=runs_by_code(journey_id), skips=skips)
        return Response({"journey": body})

    def partial_update(self, request: Request, journey_id: str) -> Response:
        """Switch a journey on or off for whoever would enter, or let its runs stand still or go on."""
        journey, asked = _known(journey_id), decode_switch(json_body(request))
        if asked.enabled and not journey.enabled:
            raise ApiError(HTTPStatus.CONFLICT, OFF_IN_CODE)
        override = written(lambda: set_journey(journey_id=journey_id, enabled=asked.enabled, paused=asked.paused))
        return Response({"journey": switched_body(journey, override)})

    def enrol(self, request: Request, journey_id: str) -> Response:
        """Let one person in, and tell what became of them; nothing else starts."""
        journey, asked = _known(journey_id), decode_enrol(json_body(request))
        [answer] = _enrolled(journey, [asked], by=_name_of(request))
        status = HTTPStatus.ACCEPTED if answer.result is EnrolResult.ENROLLED else HTTPStatus.OK
        return Response({"event": journey.trigger, **enrolled_body(asked.user_id, answer)}, status=status)

    def enrol_batch(self, request: Request, journey_id: str) -> Response:
        """Let many in at once, and tell of each what became of them."""
        journey, asked = _known(journey_id), decode_batch(json_body(request))
        answers = _enrolled(journey, asked, by=_name_of(request))
        results = [enrolled_body(one.user_id, answer) for one, answer in zip(asked, answers, strict=True)]
        enrolled = sum(result["enrolled"] for result in results)
        return Response({"enrolled": enrolled, "skipped": len(results) - enrolled, "results": results})


class StateViewSet(ViewSet):
    """People's ways through a journey, which need not be in the code any more."""

    @property
    def required_scope(self) -> str:
        """What reads needs ``read``; what acts needs ``journey-admin``."""
        return Scope.READ if self.request.method in SAFE_METHODS else Scope.JOURNEY_ADMIN

    def list(self, request: Request, journey_id: str) -> Response:
        """Answer the runs of a journey, the newest first."""
        asked = request.query_params
        _known(journey_id)
        page = page_of(asked)
        found = runs(journey_id=journey_id, status=run_status_of(asked), user_id=user_of(asked))
        return Response({"states": _states(list(found[page.rows])), **page.place(found.count())})

    def retrieve(self, _request: Request, journey_id: str, state_id: UUID) -> Response:
        """Answer one run and what happened to it."""
        run = _run(state_id, journey_id)
        return Response({"state": _states([run])[0], "logs": [log_body(entry) for entry in chronicle(run)]})

    def logs(self, _request: Request, state_id: UUID) -> Response:
        """Answer the same for whoever knows only the run."""
        run = _run(state_id, refusal="Journey state not found")
        return Response({"state": _states([run])[0], "logs": [log_body(entry) for entry in chronicle(run)]})

    def cancel(self, request: Request, journey_id: str, state_id: UUID) -> Response:
        """Take somebody out of a journey."""
        run, by = _run(state_id, journey_id), _name_of(request)
        try:
            written(lambda: cancel_run(run_id=state_id, reason=f"cancelled by {by}"))
        except RunStateError as error:
            raise ApiError(HTTPStatus.CONFLICT, NOT_LIVE.format(_run(state_id).status)) from error
        except RunNotFoundError as error:
            raise ApiError(HTTPStatus.NOT_FOUND, NO_STATE) from error
        ended = _states([_run(run.id)])[0]
        kept = {name: ended[name] for name in ("id", "status", "exitedAt", "exitReason")}
        return Response({"state": kept, "hatchetCancelled": True})

    def retry(self, _request: Request, journey_id: str, state_id: UUID) -> Response:
        """Let a failed run go on after its last recorded step."""
        return _moved(journey_id, state_id, lambda: retry_run(run_id=state_id))

    def skip_wait(self, request: Request, journey_id: str, state_id: UUID) -> Response:
        """Let a run go on as if its wait were over."""
        by, now = _name_of(request), database_now()
        return _moved(journey_id, state_id, lambda: skip_wait(run_id=state_id, by=by, now=now))


def _known(journey_id: str) -> Journey:
    journey = index().by_id.get(journey_id)
    if journey is None or not journey.is_wanted:
        raise ApiError(HTTPStatus.NOT_FOUND, NOBODY_KNOWS)
    return journey


def _run(state_id: UUID, journey_id: str | None = None, *, refusal: str = NO_STATE) -> JourneyRun:
    run = runs(journey_id=journey_id).filter(id=state_id).first()
    if run is None:
        raise ApiError(HTTPStatus.NOT_FOUND, refusal)
    return run


def _moved(journey_id: str, state_id: UUID, act: Callable[[], None]) -> Response:
    _run(state_id, journey_id)
    try:
        written(act)
    except RunStateError as error:
        raise ApiError(HTTPStatus.CONFLICT, str(error)) from error
    except RunNotFoundError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, NO_STATE) from error
    return Response({"state": _states([_run(state_id)])[0]})


def _states(found: list[JourneyRun]) -> list[dict[str, object]]:
    waits = awaited(found)
    return [state_body(run, waits.get(run.id)) for run in found]


def _enrolled(journey: Journey, asked: list[Invited], *, by: str) -> list[EnrolAnswer]:
    """Find or create each person alone, then let all in together."""
    guests = [Guest(_person(one), one.properties) for one in asked]
    return written(lambda: enrol_guests(journey=journey, guests=guests, by=by, now=database_now()))


def _person(asked: Invited) -> UUID:
    return written(lambda: guest_of(asked.user_id, asked.email), bounds_its_waits=True)


def _name_of(request: Request) -> str:
    return f"API key {cast('Caller', request.auth).name}"
