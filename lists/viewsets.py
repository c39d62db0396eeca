"""GET /v1/lists."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from hogsend.api.models import Scope
from lists.definitions import EmailList
from lists.queries import shown_lists
from lists.schema import CATALOGUE


class ListViewSet(ViewSet):
    """The lists people can be on."""

    required_scope = Scope.INGEST

    @CATALOGUE
    def list(self, _request: Request) -> Response:
        """Answer the catalogue; it needs no database."""
        return Response({"lists": [_body(item) for item in shown_lists()]})


def _body(item: EmailList) -> dict[str, Any]:
    body: dict[str, Any] = {"id": item.id, "name": item.name, "defaultOptIn": item.default_opt_in}
    return {**body, "description": item.description} if item.description else body
