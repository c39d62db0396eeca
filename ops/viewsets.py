"""How the world asks for the engine's health."""

import time
from datetime import UTC, datetime

from django.contrib.auth import get_user
from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from ops.queries import condition
from ops.serializers import health_document

STARTED = time.monotonic()


class HealthViewSet(ViewSet):
    """Open to everybody and always 200: the verdict stands in the body."""

    authentication_classes = ()
    permission_classes = ()

    def retrieve(self, request: Request) -> Response:
        """Report every part; names of pending migrations only to staff."""
        found = condition()
        pending = any(track.pending for track in found.tracks.values())
        names = pending and _is_staff(request)
        uptime = round(time.monotonic() - STARTED, 3)
        # The process's clock: this must answer while the database does not.
        now = datetime.now(tz=UTC)
        return Response(health_document(found, uptime=uptime, now=now, names=names))


def _is_staff(request: Request) -> bool:
    """Sessions and users may be among the tables which are yet to be made."""
    try:
        return bool(getattr(get_user(request._request), "is_staff", False))  # noqa: SLF001 - the session's user
    except DatabaseError:
        return False
