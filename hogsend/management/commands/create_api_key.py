"""`manage.py create_api_key`: a key for a program, shown once."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from hogsend.api.keys import create_key
from hogsend.api.models import Scope
from hogsend.clock import database_now
from hogsend.lib.wire import wire_time


class Command(BaseCommand):
    help = "Create an API key. It is printed this once; only its fingerprint is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="who uses it and where, such as `web shop`")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=Scope.values,
            dest="scopes",
            help="what it may; repeatable",
        )
        parser.add_argument("--expires", help="when it ends, like 2030-01-31T00:00:00Z; never if not given")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        expires_at = _moment(options["expires"])
        if not options["name"].strip():
            raise CommandError("--name must say who uses the key.")
        key, secret = create_key(name=options["name"].strip(), scopes=options["scopes"], expires_at=expires_at)
        if options["json"]:
            document = {"id": str(key.id), "name": key.name, "scopes": key.scopes, "key": secret}
            self.stdout.write(json.dumps({**document, "expiresAt": wire_time(expires_at)}, indent=2))
            return
        self.stderr.write(f"The key “{key.name}” may: {', '.join(key.scopes)}. Keep it now; it is not shown again.")
        self.stdout.write(secret)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or is_naive(found):
        raise CommandError(f"--expires is {text!r}; it must be a time with its zone, like 2030-01-31T00:00:00Z.")
    if found <= database_now():
        raise CommandError(f"--expires is {text}, which is past; a key that is born expired opens nothing.")
    return found
