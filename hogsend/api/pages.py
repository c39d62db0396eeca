"""Middleware of Django that only pages need: on the data plane it would cost more than the work itself."""

from typing import Final

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

# Requests that carry an API key or a token of their own, and never a session.
SESSIONLESS: Final = ("/v1/events", "/v1/contacts", "/v1/emails", "/v1/lists", "/v1/campaigns", "/v1/t/", "/v1/email/")


class _PagesOnly:
    """Steps aside on the data plane."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        if request.path.startswith(SESSIONLESS):
            return self.get_response(request)  # type: ignore[attr-defined, no-any-return]
        return super().__call__(request)  # type: ignore[misc, no-any-return]


class StaticFiles(_PagesOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """The admin's styles and scripts."""


class Sessions(_PagesOnly, SessionMiddleware):
    """Who is signed in to the admin."""


class Authentication(_PagesOnly, AuthenticationMiddleware):
    """``request.user`` for the admin."""


class Messages(_PagesOnly, MessageMiddleware):
    """What the admin says after a redirect."""
