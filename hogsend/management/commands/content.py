"""`manage.py content`: what was found in code, and where."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand

from ops import catalogue
from ops.catalogue import Declared

NOTHING = (
    "Nothing is declared yet. Put journeys, lists and e-mails into an app named in HOGSEND_CONTENT_APPS "
    "(by default `content`); docs/authoring shows how."
)


class Command(BaseCommand):
    help = "List the journeys, buckets, lists and e-mails declared in code, each with its file and line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        found = catalogue.declared()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(item) for item in found], indent=2))
        elif not found:
            self.stdout.write(NOTHING)
        else:
            self._print(found)

    def _print(self, found: list[Declared]) -> None:
        widths = [max(len(getattr(item, column)) for item in found) for column in ("id", "name", "detail")]
        for kind, items in groupby(found, key=lambda item: item.kind):
            self.stdout.write(f"{kind}")
            for item in items:
                off = "" if item.enabled else "  (off)"
                cells = zip((item.id, item.name, item.detail), widths, strict=True)
                line = "  ".join(text.ljust(width) for text, width in cells)
                self.stdout.write(f"  {line}  {item.file}:{item.line}{off}")
