"""`manage.py send_event`: one event, in this process or over HTTP."""

import json
from argparse import ArgumentParser
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from events.submit import submit_events
from events.wire import answer_body, decode_event
from hogsend.api.errors import ApiError
from hogsend.clock import database_now
from ops.bootstrap import read_state
from ops.event_document import EventArgumentError, EventArguments, event_document

TIMEOUT = 30  # seconds


class Command(BaseCommand):
    help = "Record one event of one person, in this process or, with --url, over HTTP. Prints the answer as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the event's name, such as user.created")
        parser.add_argument("--user-id", help="the id that your product gives the person")
        parser.add_argument("--email")
        parser.add_argument("--anonymous-id")
        for option, dest, whose in (("--prop", "props", "event"), ("--contact-prop", "contact_props", "person")):
            parser.add_argument(
                option,
                dest=dest,
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help=f"a property of the {whose}; the value as JSON or text; repeatable",
            )
        parser.add_argument("--idempotency-key", help="sending it again with the same key changes nothing")
        parser.add_argument("--timestamp", help="when it happened, like 2030-01-31T12:00:00Z; now if not given")
        parser.add_argument("--url", help="send over HTTP to this address, like http://127.0.0.1:8000")
        parser.add_argument("--key", help="API key for --url; not needed for the stack of `./run up`")
        parser.add_argument("--json", action="store_true", help="report a failure as JSON, too")

    def handle(self, **options: Any) -> None:
        names = EventArguments.__dataclass_fields__
        try:
            body = event_document(EventArguments(**{name: options[name] for name in names}))
            answer = _over_http(body, options) if options["url"] else _in_process(body)
        except (EventArgumentError, ApiError, OperationalError) as error:
            message = _sentence(error)
            if options["json"]:
                self.stdout.write(json.dumps({"error": message}, indent=2))
                raise SystemExit(1) from error
            raise CommandError(message) from error
        self.stdout.write(json.dumps(answer, indent=2, default=str))


def _sentence(error: Exception) -> str:
    if isinstance(error, OperationalError):
        said = str(error).strip()
        return f"The database does not answer; check DATABASE_URL and that PostgreSQL runs. It said: {said}"
    return error.message if isinstance(error, ApiError) else str(error)


def _in_process(body: dict[str, Any]) -> dict[str, Any]:
    submission = decode_event(json.dumps(body).encode(), tenant="main", now=database_now())
    outcome = submit_events([submission])[0]
    if isinstance(outcome, ApiError):
        raise outcome
    return answer_body(outcome)


def _own_key(base: str) -> str | None:
    """The key of the stack that runs on this state directory, and of no other address."""
    state = read_state(settings.HOGSEND_STATE_DIR / "dev.json")
    return state.get("ingest_key") if state.get("base_url") == base else None


def _over_http(body: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    base = options["url"].rstrip("/")
    key = options["key"] or _own_key(base)
    if not key:
        raise EventArgumentError("--url needs an API key with the scope ingest: give --key.")
    address = f"{base}/v1/events"
    try:
        response = requests.post(address, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)
        answer: dict[str, Any] = response.json()
    except requests.RequestException as error:
        raise EventArgumentError(f"{address} could not be reached or did not answer in JSON: {error}") from error
    if not response.ok:
        raise EventArgumentError(f"{address} answered {response.status_code}: {answer.get('error', answer)}")
    return answer
