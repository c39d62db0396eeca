"""PUT and DELETE /v1/contacts, GET /v1/contacts/find: parse, one call, answer."""

from http import HTTPStatus
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from contacts.actions import delete_contact, identify
from contacts.queries import contacts_by_keys
from contacts.rules import keys_of
from contacts.schema import DELETE, FIND, UPSERT
from contacts.wire import contact_body, decode_names, decode_upsert, identified_body
from hogsend.api.errors import ApiError
from hogsend.api.models import Scope
from hogsend.api.parsers import json_body
from hogsend.api.writes import written
from hogsend.clock import database_now

TWO_PEOPLE = "email and userId belong to two different contacts; delete each by one key of its own."
NOBODY = "Contact not found"
NO_QUERY = "email or userId is required: say who is looked for."


class ContactViewSet(ViewSet):
    """Who people are."""

    required_scope = Scope.INGEST

    @UPSERT
    def upsert(self, request: Request) -> Response:
        """Create somebody or write what is said about them."""
        asked = decode_upsert(json_body(request))
        found = written(
            lambda: identify(keys=asked.keys, patch=asked.patch, lists=asked.lists, timezone=asked.timezone),
            bounds_its_waits=True,
        )
        return Response(identified_body(found))

    @FIND
    def find(self, request: Request) -> Response:
        """Look people up by any key they were ever known by."""
        asked: dict[str, Any] = request.query_params
        keys = keys_of(user_id=asked.get("userId"), email=asked.get("email"), anonymous_id=asked.get("anonymousId"))
        if not any(asked.get(name) for name in ("userId", "email", "anonymousId")):
            raise ApiError(400, NO_QUERY)
        return Response({"contacts": [contact_body(contact) for contact in contacts_by_keys(keys)]})

    @DELETE
    def delete(self, request: Request) -> Response:
        """Delete somebody: their keys go, their journeys end, their history stays."""
        people = contacts_by_keys(decode_names(json_body(request)))
        if len(people) > 1:
            raise ApiError(HTTPStatus.CONFLICT, TWO_PEOPLE)
        if not people or not written(lambda: delete_contact(contact_id=people[0].pk, now=database_now())):
            raise ApiError(HTTPStatus.NOT_FOUND, NOBODY)
        return Response({"deleted": True})
