"""`manage.py dead_letters`: webhook deliveries that became no event: look, retry, discard."""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from events.models import DeadLetter, DeadLetterStatus
from events.sources.actions import DeadLetterNotFoundError, DeadLetterStateError, discard_dead_letter, retry_dead_letter
from events.sources.queries import dead_letters
from hogsend.clock import database_now
from hogsend.lib.wire import wire_time


class Command(BaseCommand):
    help = "List, retry or discard webhook deliveries that could not become events. Exits with 1 if any stays open."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("list", "retry", "discard"))
        parser.add_argument("ids", nargs="*", type=UUID, metavar="id", help="which ones; for retry and discard")
        parser.add_argument("--all", action="store_true", help="retry or discard all that are open")
        parser.add_argument("--source", help="only those of this webhook source")
        parser.add_argument(
            "--status", choices=DeadLetterStatus.values, default="open", help="for list; open if not given"
        )
        parser.add_argument("--limit", type=int, default=100, help="how many to list; 100 if not given")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        if options["what"] == "list":
            self._list(options)
            return
        if bool(options["ids"]) == options["all"]:
            raise CommandError("Name the dead letters by their ids, or give --all.")
        source = options["source"]
        ids = options["ids"] or list(dead_letters(source_id=source).values_list("id", flat=True))
        results = [_act(options["what"], letter_id) for letter_id in ids]
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))
        for result in [] if options["json"] else results:
            self.stdout.write(f"{result['id']}  {result['message']}")
        if not all(result["settled"] for result in results):
            raise SystemExit(1)

    def _list(self, options: dict[str, Any]) -> None:
        found = list(dead_letters(status=options["status"], source_id=options["source"])[: options["limit"]])
        if options["json"]:
            self.stdout.write(json.dumps([_document(letter) for letter in found], indent=2))
        elif not found:
            self.stdout.write(f"There is no dead letter that is {options['status']}.")
        for letter in [] if options["json"] else found:
            self.stdout.write(f"{letter.id}  {wire_time(letter.received_at)}  {letter.source_id}  {letter.error}")


def _act(what: str, letter_id: UUID) -> dict[str, Any]:
    try:
        if what == "retry":
            retried = retry_dead_letter(letter_id=letter_id, now=database_now())
            settled, message = retried.settled, retried.sentence
        else:
            discard_dead_letter(letter_id=letter_id, now=database_now())
            settled, message = True, "It is discarded."
    except (DeadLetterNotFoundError, DeadLetterStateError) as error:
        settled, message = False, str(error)
    return {"id": str(letter_id), "settled": settled, "message": message}


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "source": letter.source_id,
        "status": letter.status,
        "error": letter.error,
        "attempts": letter.attempts,
        "receivedAt": wire_time(letter.received_at),
        "resolvedAt": wire_time(letter.resolved_at),
        "headers": letter.headers,
        "payload": letter.payload,
    }
