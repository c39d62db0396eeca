"""POST /v1/events and /v1/events/batch: parse, one call, answer 202."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec
from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from events.schema import MANY, MANY_TAKEN, ONE, ONE_TAKEN
from events.submission import Submission
from events.submit import Outcome, submit_events
from events.wire import answer_body, decode_event, split_batch
from hogsend.api.errors import ApiError
from hogsend.api.models import Scope
from hogsend.api.negotiation import FirstRenderer
from hogsend.api.parsers import JsonParser, json_body
from hogsend.api.schema import IDEMPOTENCY_KEY, documented
from hogsend.api.throttles import count_items

if TYPE_CHECKING:
    from hogsend.api.authentication import Caller

CHUNK = 250  # events per transaction of a batch: each holds the locks of a few keys, and lock tables are finite
BATCH_BODY_FACTOR = 4
HEADER_ON_BATCH = "Give each event of a batch its own idempotencyKey; the Idempotency-Key header is for single events."


class EventViewSet(ViewSet):
    """What people did."""

    required_scope = Scope.INGEST
    parser_classes = (JsonParser,)
    content_negotiation_class = FirstRenderer

    @documented("Send an event", body=ONE, answers=[ONE_TAKEN], errors=(503,), parameters=(IDEMPOTENCY_KEY,))
    def create(self, request: Request) -> HttpResponse:
        """Take one event."""
        body = json_body(request)
        submission = decode_event(
            body,
            tenant=_tenant(request),
            now=datetime.now(UTC),
            idempotency_key=request.META.get("HTTP_IDEMPOTENCY_KEY"),
        )
        outcome = submit_events([submission])[0]
        if isinstance(outcome, ApiError):
            raise outcome
        return _accepted(answer_body(outcome))

    @documented("Send up to 1,000 events at once", body=MANY, answers=[MANY_TAKEN])
    def batch(self, request: Request) -> HttpResponse:
        """Take up to 1,000 events; each is answered for itself, in order."""
        body = json_body(request, limit=settings.HOGSEND_MAX_BODY_BYTES * BATCH_BODY_FACTOR)
        if request.META.get("HTTP_IDEMPOTENCY_KEY"):
            raise ApiError(400, HEADER_ON_BATCH)
        tenant, now = _tenant(request), datetime.now(UTC)
        found = split_batch(body)
        count_items(request, len(found))
        items = [_decode(item, tenant=tenant, now=now) for item in found]
        good = [item for item in items if isinstance(item, Submission)]
        chunks = [good[start : start + CHUNK] for start in range(0, len(good), CHUNK)]
        answers = iter([answer for chunk in chunks for answer in _answers(chunk)])
        return _accepted([next(answers) if isinstance(item, Submission) else item.body() for item in items])


def _tenant(request: Request) -> str:
    return cast("Caller", request.auth).tenant


def _decode(item: bytes, *, tenant: str, now: datetime) -> Submission | ApiError:
    try:
        return decode_event(item, tenant=tenant, now=now)
    except ApiError as error:
        return error


def _answers(submissions: Sequence[Submission]) -> list[dict[str, Any]]:
    outcomes: list[Outcome] = submit_events(submissions)
    return [outcome.body() if isinstance(outcome, ApiError) else answer_body(outcome) for outcome in outcomes]


def _accepted(body: Any) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=202, content_type="application/json")
