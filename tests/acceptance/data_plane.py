"""The data plane as programs with a key meet it, and what can be seen behind it."""

import json
from datetime import timedelta
from typing import Any

from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from emails.tasks import deliver
from hogsend.api.keys import create_key
from journeys.models import Wakeup
from journeys.tasks import advance


class Api:
    """The data plane as a program with a key meets it, and the workers, which run when the test says so."""

    def __init__(self, *scopes: str) -> None:
        self.key = create_key(name="shop", scopes=scopes or ["ingest"])[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = headers.pop("content_type", "application/json")
        named = {"Authorization": f"Bearer {self.key}"} | {
            name.replace("_", "-"): word for name, word in headers.items()
        }
        client = Client(raise_request_exception=False)
        response = client.generic(method, path, sent, content_type=kind, headers=named)
        return response.status_code, json.loads(response.content or b"null")

    def put(self, **fields: Any) -> dict[str, Any]:
        return self._good("PUT", "/v1/contacts", fields)

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        return self._good("POST", "/v1/events", {"name": name, **fields})

    def mail(self, **fields: Any) -> dict[str, Any]:
        return self._good("POST", "/v1/emails", {"template": "welcome", **fields})

    def find(self, **query: str) -> list[dict[str, Any]]:
        (name, value) = query.popitem()
        return self._good("GET", f"/v1/contacts/find?{name}={value}", None)["contacts"]

    def _good(self, method: str, path: str, body: Any) -> dict[str, Any]:
        status, answer = self.call(method, path, body)
        assert status in {200, 202}, answer
        return answer


def work() -> None:
    """Let the workers advance journeys and deliver mail until nothing is due."""
    advance()
    deliver()


def wake() -> None:
    """Move the clock to the end of all waits."""
    Wakeup.objects.update(due_at=timezone.now() - timedelta(seconds=1), claimed_until=None)
    work()


def delivered() -> list[str]:
    """To whom the provider was given mail, in order."""
    return [message.to[0] for message in mail.outbox]


def everything_stored() -> dict[str, list[str]]:
    """Every row of every table, as text."""
    tables, dump = connection.introspection.table_names(), {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'select t::text from "{table}" t order by 1')
            dump[table] = [row for (row,) in cursor.fetchall()]
    return dump
