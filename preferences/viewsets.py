"""POST /v1/lists/{id}/subscribe and /unsubscribe, GET and PATCH /v1/contacts/{id}/preferences."""

from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from contacts.actions import identify
from contacts.queries import contact_by_id
from contacts.wire import decode_upsert
from hogsend.api.errors import ApiError
from hogsend.api.keys import scope_allows
from hogsend.api.models import Scope
from hogsend.api.parsers import json_body
from hogsend.api.writes import written
from hogsend.clock import database_now
from lists.queries import refusal_of
from preferences.actions import LooseningRefusedError, restate_consent
from preferences.queries import consent_of
from preferences.schema import READ, RESTATE, SUBSCRIBE, UNSUBSCRIBE
from preferences.wire import decode_wishes, preference_body

if TYPE_CHECKING:
    from hogsend.api.authentication import Caller

NOBODY = "Contact not found"
NOT_YOURS = (
    "This person has left all mail. Only they can come back, on their preference page; "
    "to record their return here, use a key with the scope full-admin."
)


class MembershipViewSet(ViewSet):
    """Who is on which list."""

    required_scope = Scope.INGEST

    @SUBSCRIBE
    def subscribe(self, request: Request, list_id: str) -> Response:
        """Put somebody on a list, known or not."""
        return _change(request, list_id, subscribed=True)

    @UNSUBSCRIBE
    def unsubscribe(self, request: Request, list_id: str) -> Response:
        """Take somebody off a list, known or not."""
        return _change(request, list_id, subscribed=False)


class PreferenceViewSet(ViewSet):
    """What one person allows."""

    required_scope = Scope.INGEST

    @READ
    def retrieve(self, _request: Request, contact_id: UUID) -> Response:
        """Say what somebody allows; an id that a merge has retired means the survivor."""
        return _answer(contact_id)

    @RESTATE
    def partial_update(self, request: Request, contact_id: UUID) -> Response:
        """Change what somebody allows, all that is named or nothing. Only full-admin lifts an opt-out from all mail."""
        now = database_now()
        wishes = decode_wishes(json_body(request), now=now)
        who = _known(contact_id)
        may = scope_allows(cast("Caller", request.auth).scopes, Scope.FULL_ADMIN)
        try:
            written(lambda: restate_consent(contact_id=who, wishes=wishes, may_loosen=may, now=now))
        except LooseningRefusedError as error:
            raise ApiError(HTTPStatus.FORBIDDEN, NOT_YOURS) from error
        return _answer(who)


def _change(request: Request, list_id: str, *, subscribed: bool) -> Response:
    if refusal_of(list_id, subscribed=subscribed):
        raise ApiError(HTTPStatus.NOT_FOUND, f"Unknown list: {list_id}")
    keys, now = decode_upsert(json_body(request)).keys, database_now()
    written(lambda: identify(keys=keys, lists={list_id: subscribed}, now=now))
    return Response({"list": list_id, "subscribed": subscribed})


def _answer(contact_id: UUID) -> Response:
    who = _known(contact_id)
    return Response(preference_body(consent_of([who])[who]))


def _known(contact_id: UUID) -> UUID:
    contact = contact_by_id(contact_id)
    if contact is None:
        raise ApiError(HTTPStatus.NOT_FOUND, NOBODY)
    return contact.pk
