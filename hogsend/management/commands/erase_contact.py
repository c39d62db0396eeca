"""`manage.py erase_contact`: remove one person for ever."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from contacts.actions import erase_contact
from contacts.models import Contact
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.management.people import KEY, PersonCommand
from ops.people import removed

UNSURE = "Nothing was erased: erasing cannot be undone, so give --yes, or run it on a terminal and confirm."
GONE = "The contact is gone already."


class Command(PersonCommand):
    help = "Remove somebody with everybody they were merged with, their history and every mention. Not to be undone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help=KEY)
        parser.add_argument("--yes", action="store_true", help="do not ask")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Erase, once it is sure that it is meant; what is printed names nobody."""
        contact = self.person(options["key"], options)
        if not (options["yes"] or self._confirmed(contact)):
            raise CommandError(UNSURE)
        erased = written(lambda: erase_contact(contact_id=contact.pk, now=database_now()))
        if erased is None:
            raise CommandError(GONE)
        rows = [f"{count:8}  {name}" for name, count in removed(erased)]
        text = "\n".join(["Erased; this was removed:", *rows, f"{erased.mentions:8}  mentions elsewhere"])
        return {"erased": True, "rows": erased.rows, "mentions": erased.mentions}, text

    def _confirmed(self, contact: Contact) -> bool:
        if not sys.stdin.isatty():
            return False
        self.stderr.write(f"This erases {contact} ({contact.pk}) for ever, with everybody they were merged with.")
        self.stderr.write("Type yes to go on: ", ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() == "yes"
