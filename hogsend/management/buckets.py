"""What the commands about buckets share: which buckets are meant, and how they answer and refuse."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from buckets.definitions import Bucket, index, registry

SILENT = "The database did not do it; check that PostgreSQL runs and is not busy, and try again."


class BucketCommand(BaseCommand):
    """A command about declared buckets; refusals end with 1."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        try:
            document, lines, well = self.act(options)
        except (CommandError, OperationalError) as error:
            sentence = str(error) if isinstance(error, CommandError) else f"{SILENT} It said: {str(error).strip()}"
            if not options["json"]:
                raise CommandError(sentence) from error
            self.stdout.write(json.dumps({"error": sentence}, indent=2, ensure_ascii=False))
            raise SystemExit(1) from error
        if options["json"]:
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
        for line in [] if options["json"] else lines:
            self.stdout.write(line)
        if not well:
            raise SystemExit(1)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterable[str], bool]:
        """Do what the command is for; return the answer as JSON values and as lines, and whether all is well."""
        raise NotImplementedError


def bucket_named(bucket_id: str) -> Bucket:
    """Return the declared bucket. Raises CommandError, with a did-you-mean, if there is none."""
    if bucket_id not in registry:
        raise CommandError(f"{registry.unknown(bucket_id)} `manage.py content` lists what is declared.")
    return registry.get(bucket_id)


def live_bucket(bucket_id: str) -> Bucket:
    """Return the declared bucket if it is followed here. Raises CommandError with what to do if it is not."""
    bucket = bucket_named(bucket_id)
    if not bucket.is_wanted:
        raise CommandError(f"The bucket {bucket_id!r} is left out by ENABLED_BUCKETS; add it there first.")
    if not bucket.enabled:
        raise CommandError(f"The bucket {bucket_id!r} is declared with enabled=False; switch it on in the code first.")
    return bucket


def live_buckets(ids: Iterable[str]) -> list[Bucket]:
    """Return those that are named, each once, or all that are followed here. Raises CommandError as live_bucket."""
    named = [live_bucket(bucket_id) for bucket_id in dict.fromkeys(ids)]
    return named or [bucket for bucket in index().by_id.values() if bucket.enabled]
