"""`manage.py merge_contacts`: two people become one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from contacts.actions import merge_contacts, preview_merge
from contacts.models import Contact
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.management.people import KEY, PersonCommand
from ops.people import ROWS

ONE = "Both keys lead to the same contact; there is nothing to merge."


class Command(PersonCommand):
    help = "Make one person a part of another, with keys, properties and history. The journal can take it back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("survivor", help=f"who lives on: {KEY}")
        parser.add_argument("absorbed", help="who becomes part of the survivor")
        parser.add_argument("--dry-run", action="store_true", help="say what would move, and change nothing")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Merge, or say what a merge would do."""
        survivor, absorbed = (self.person(options[name], options) for name in ("survivor", "absorbed"))
        if survivor.pk == absorbed.pk:
            raise CommandError(ONE)
        if options["dry_run"]:
            return _preview(survivor, absorbed)
        now = database_now()
        actor = "command: merge_contacts"
        done = written(lambda: merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor=actor, now=now))
        text = f"{absorbed} is part of {survivor} now. The journal {done.pk} can take it back, in the admin."
        return {**_pair(survivor, absorbed), "merged": True, "journal": str(done.pk)}, text


def _pair(survivor: Contact, absorbed: Contact) -> dict[str, str]:
    return {"survivor": str(survivor.pk), "absorbed": str(absorbed.pk)}


def _preview(survivor: Contact, absorbed: Contact) -> tuple[Any, str]:
    now = database_now()
    preview = written(lambda: preview_merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, now=now))
    moved = ", ".join(f"{count} {ROWS.get(name, name)}" for name, count in preview.moved.items())
    keys = ", ".join(value for _, value in preview.keys) or "no keys"
    document = {"merged": False, "moved": preview.moved, "keys": preview.keys, "result": preview.survivor}
    text = f"{absorbed} would become part of {survivor}, with {keys}; these would move: {moved}. Nothing was changed."
    return {**_pair(survivor, absorbed), **document}, text
