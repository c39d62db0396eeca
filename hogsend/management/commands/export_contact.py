"""`manage.py export_contact`: all that is known of one person, as one JSON document."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from hogsend.management.people import KEY, PersonCommand
from ops.people import export_of


class Command(PersonCommand):
    help = "Write all that is held about one person, of every app, as one JSON document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help=KEY)
        parser.add_argument("--output", type=Path, metavar="FILE", help="a new file to write to, instead of printing")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Print the document, or write it to a file that only its owner may read."""
        contact, file = self.person(options["key"], options), options["output"]
        if file is None:
            self.stdout.write("".join(export_of(contact)), ending="")
            return None, ""
        try:
            file.touch(mode=0o600, exist_ok=False)
            file.write_text("".join(export_of(contact)), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file} cannot be written ({error.strerror}); name a new file.") from error
        return {"id": str(contact.pk), "file": str(file)}, f"All that is held about {contact} is in {file}."
