"""POST /v1/emails: parse, one call, answer 202."""

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from emails.actions import Decision, accept_email
from emails.render import RenderError
from emails.schema import SEND
from emails.submission import NoRecipientError, RefusedError, Submission
from emails.wire import answer_body, decode_email
from hogsend.api.errors import ApiError, Detail
from hogsend.api.models import Scope
from hogsend.api.parsers import json_body
from hogsend.api.writes import written
from hogsend.clock import database_now

if TYPE_CHECKING:
    from hogsend.api.authentication import Caller


class EmailViewSet(ViewSet):
    """What we write to one person on demand."""

    required_scope = Scope.INGEST

    @SEND
    def create(self, request: Request) -> Response:
        """Decide whether the person may be written to, render the mail and record both; a worker delivers it.

        With `to` the mail goes to that address, and somebody unknown becomes a contact. With `userId` alone it goes to
        the contact's address. With both they must mean one person; what is new of the two is kept. The same
        idempotency key with the same request gets the present state of the first one's mail.
        """
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        submission = decode_email(json_body(request), caller=cast("Caller", request.auth), idempotency_key=key)
        return Response(answer_body(_accepted(submission)), status=HTTPStatus.ACCEPTED)


def _accepted(submission: Submission) -> Decision:
    try:
        return written(lambda: accept_email(submission, now=database_now()))
    except RefusedError as error:
        is_lost = isinstance(error, NoRecipientError)
        raise ApiError(HTTPStatus.NOT_FOUND if is_lost else HTTPStatus.CONFLICT, str(error)) from error
    except RenderError as error:
        detail: Detail = {"path": ["template"], "code": "render", "message": str(error)}
        raise ApiError(HTTPStatus.BAD_REQUEST, str(error), [detail]) from error
