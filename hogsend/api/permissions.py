"""What a caller may do."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hogsend.api.authentication import Caller
from hogsend.api.keys import scope_allows
from hogsend.api.models import Scope
from hogsend.api.throttles import count_stranger


class HasScope(BasePermission):
    """Compares the caller's scopes with the view's ``required_scope``; a view which names none is for full-admin."""

    message = "Forbidden: insufficient scope"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Say whether the caller's scopes are enough for ``view``."""
        if not isinstance(request.auth, Caller):
            count_stranger(request._request)  # noqa: SLF001 - the limiter knows Django's requests
            return False
        return scope_allows(request.auth.scopes, getattr(view, "required_scope", Scope.FULL_ADMIN))
