"""`manage.py delete_contact`: one person goes, the history stays."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from contacts.actions import delete_contact
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.management.people import KEY, PersonCommand

GONE = "This contact is deleted already; erase_contact removes the history as well."


class Command(PersonCommand):
    help = "Delete somebody: journeys end, waiting mail is not sent, the keys are free; the history stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help=KEY)
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Delete whom the key means."""
        contact = self.person(options["key"], options)
        if not written(lambda: delete_contact(contact_id=contact.pk, now=database_now())):
            raise CommandError(GONE)
        return {"deleted": True, "id": str(contact.pk)}, f"{contact} ({contact.pk}) is deleted; the history stays."
