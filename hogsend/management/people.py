"""What the commands about one person share: whom a key means, and how they answer and refuse."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.actions import MergeError
from contacts.models import Contact
from hogsend.api.errors import ApiError
from ops.people import people_named

KINDS = {"id": "id", "user-id": "external", "email": "email", "anonymous-id": "anonymous"}
KEY = "address, user id, anonymous id or our id"


class PersonCommand(BaseCommand):
    """A command about people who are named by a key; refusals end with 1."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", choices=KINDS, help="what the key is, where it could mean several people")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        try:
            document, sentence = self.act(options)
        except (CommandError, MergeError, ApiError) as error:
            if not options["json"]:
                raise CommandError(str(error)) from error
            self.stdout.write(json.dumps({"error": str(error)}, indent=2, ensure_ascii=False))
            raise SystemExit(1) from error
        if options["json"]:
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str))
        elif sentence:
            self.stdout.write(sentence)

    def act(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Do what the command is for; return the answer as JSON values, and as text."""
        raise NotImplementedError

    def person(self, key: str, options: dict[str, Any]) -> Contact:
        """Return the one whom a key means. Raises CommandError if it means nobody, or several people."""
        found = people_named(key, by=KINDS.get(options["by"]))
        if not found:
            raise CommandError(f"Nobody is known by {key!r}; give an {KEY} in full.")
        if len(found) > 1:
            listed = ", ".join(str(contact.pk) for contact in found)
            raise CommandError(f"{key!r} may mean several people: {listed}. Say what it is with --by, or give an id.")
        return found[0]
