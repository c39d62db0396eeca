"""/v1/admin/buckets and /v1/admin/metrics/buckets: parse, one call, answer."""

from http import HTTPStatus

from django.db import Error
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from buckets.actions import BucketOffError, NotVerifiableError, begin_backfill, count_days, set_enabled, verify
from buckets.definitions import Bucket, index
from buckets.history import history, totals
from buckets.models import MembershipStatus
from buckets.overview import backfills_of, buckets_here, journeys_fed, overviews, stays
from buckets.parameters import span_of, status_of
from buckets.queries import preview
from buckets.wire import (
    backfill_body,
    bucket_body,
    decode_preview,
    decode_switch,
    decode_verify,
    detail_body,
    member_body,
    point_body,
    preview_body,
    switched_body,
    totals_body,
    verification_body,
)
from hogsend.api.errors import ApiError
from hogsend.api.models import Scope
from hogsend.api.parameters import enabled_of, page_of, user_of
from hogsend.api.parsers import json_body
from hogsend.api.writes import refusal, tried, written
from hogsend.clock import database_now

NOBODY_KNOWS = "Bucket not found"
OFF_IN_CODE = "This bucket is declared with enabled=False; switch it on in the code."
RECENT = 10


class BucketViewSet(ViewSet):
    """The buckets that exist here: how they stand, who is in them, and what staff can do about them."""

    @property
    def required_scope(self) -> str:
        """What reads needs ``read``; what acts, or looks at everybody, needs ``journey-admin``."""
        return Scope.READ if self.request.method in SAFE_METHODS else Scope.JOURNEY_ADMIN

    def list(self, request: Request) -> Response:
        """Answer the buckets in the order of declaration: all, or those alone that are on or off."""
        page = page_of(request.query_params)
        found = buckets_here(enabled=enabled_of(request.query_params))
        seen = overviews(found[page.rows], now=database_now())
        return Response({"buckets": [bucket_body(one) for one in seen], **page.place(len(found))})

    def retrieve(self, _request: Request, bucket_id: str) -> Response:
        """Answer one bucket with its declaration, the journeys that it feeds, and who came last."""
        bucket = _known(bucket_id)
        [seen] = overviews([bucket], now=database_now())
        recent = stays(bucket_id, status=MembershipStatus.ACTIVE)[:RECENT]
        return Response({"bucket": detail_body(seen, fed=journeys_fed(bucket), recent=list(recent))})

    def partial_update(self, request: Request, bucket_id: str) -> Response:
        """Switch a bucket on or off for everybody; on again, everybody is judged first."""
        bucket, enabled = _known(bucket_id), decode_switch(json_body(request))
        if enabled and not bucket.enabled:
            raise ApiError(HTTPStatus.CONFLICT, OFF_IN_CODE)
        now = database_now()
        config = written(lambda: set_enabled(bucket, enabled=enabled, now=now))
        return Response({"bucket": switched_body(bucket, config)})

    def members(self, request: Request, bucket_id: str) -> Response:
        """Answer who is in, or whose stays have ended, the newest first."""
        _known(bucket_id)
        asked = request.query_params
        page, found = page_of(asked), stays(bucket_id, status=status_of(asked), user_id=user_of(asked))
        shown = [member_body(stay) for stay in found[page.rows]]
        return Response({"members": shown, **page.place(found.count())})

    def backfills(self, request: Request, bucket_id: str) -> Response:
        """Answer the backfills of a bucket, the newest first."""
        _known(bucket_id)
        page, found = page_of(request.query_params), backfills_of(bucket_id)
        return Response({"backfills": [backfill_body(row) for row in found[page.rows]], **page.place(found.count())})

    def backfill(self, _request: Request, bucket_id: str) -> Response:
        """Begin to judge everybody; a backfill that runs is answered as it stands."""
        bucket, now = _known(bucket_id), database_now()
        try:
            row = written(lambda: begin_backfill(bucket, now=now))
        except BucketOffError as error:
            raise ApiError(HTTPStatus.CONFLICT, str(error)) from error
        return Response({"backfill": backfill_body(row)}, status=HTTPStatus.ACCEPTED)

    def verify(self, request: Request, bucket_id: str) -> Response:
        """Compare who is in with who belongs there, and move who is astray if ``repair`` says so."""
        bucket, repair = _known(bucket_id), decode_verify(json_body(request))
        try:
            report = tried(lambda: verify(bucket, repair=repair))
        except NotVerifiableError as error:
            raise ApiError(HTTPStatus.CONFLICT, str(error)) from error
        return Response({"verification": verification_body(report)})

    def preview(self, request: Request, **_path: str) -> Response:
        """Say who would be in a bucket with these criteria, and change nothing."""
        node, sample = decode_preview(json_body(request))
        try:
            found = tried(lambda: preview(node, now=database_now(), sample=sample))
        except Error as error:
            raise refusal(error) from error
        return Response(preview_body(found))


class BucketMetricsViewSet(ViewSet):
    """How buckets grow and shrink."""

    required_scope = Scope.READ

    def list(self, _request: Request) -> Response:
        """Answer for each bucket how many are in, have ever come and gone, and how long they stay."""
        found = buckets_here()
        known = totals([bucket.id for bucket in found], now=database_now())
        return Response({"buckets": [totals_body(one.id, one.name, known[one.id]) for one in found]})

    def retrieve(self, request: Request, bucket_id: str) -> Response:
        """Answer what each day, week or month did to a bucket; the running day is counted up to this moment."""
        bucket, now = _known(bucket_id), database_now()
        span = span_of(request.query_params, now=now)
        written(lambda: count_days(bucket, now=now))
        points = history(bucket_id, since=span.since, until=span.until, period=span.period)
        size = totals([bucket_id], now=now)[bucket_id].size
        return Response({"bucketId": bucket_id, "size": size, "points": [point_body(one) for one in points]})


def _known(bucket_id: str) -> Bucket:
    bucket = index().by_id.get(bucket_id)
    if bucket is None:
        raise ApiError(HTTPStatus.NOT_FOUND, NOBODY_KNOWS)
    return bucket
