"""`manage.py preview_bucket`: how many people would be in."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from buckets.queries import Preview, preview
from conditions.reading import read
from conditions.tree import ConditionError, Node
from hogsend.clock import database_now
from hogsend.management.buckets import BucketCommand, bucket_named

EXAMPLE = '{"type": "property", "property": "plan", "operator": "eq", "value": "trial"}'
MOST = 100
LONGEST = 3600  # seconds


class Command(BucketCommand):
    help = (
        "Say how many people would be in a bucket now, who for example, and what finding them costs the database. "
        "For a declared bucket or for any criteria in their plain form; nothing is changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", nargs="?", help="a declared bucket")
        parser.add_argument(
            "--criteria",
            metavar="JSON|@FILE",
            help=f"criteria instead, like '{EXAMPLE}', or @ and the name of a file that holds them",
        )
        parser.add_argument(
            "--sample", type=int, default=10, help=f"how many people to name, 0 to {MOST}; 10 if not given"
        )
        parser.add_argument(
            "--timeout", type=float, default=20, help="seconds after which counting is stopped; 20 if not given"
        )
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterator[str], bool]:
        """Preview what was asked for."""
        sample, seconds = options["sample"], options["timeout"]
        if not 0 <= sample <= MOST:
            raise CommandError(f"--sample is {sample}; give 0 to {MOST}.")
        if not 0 < seconds <= LONGEST:
            raise CommandError(f"--timeout is {seconds:g}; give more than 0 and at most {LONGEST} seconds.")
        if bool(options["id"]) == bool(options["criteria"]):
            raise CommandError("Give the id of a declared bucket, or --criteria.")
        node = bucket_named(options["id"]).belongs if options["id"] else _criteria(options["criteria"])
        found = preview(node, now=database_now(), sample=sample, timeout=timedelta(seconds=seconds))
        return _document(found), _lines(found), True


def _criteria(given: str) -> Node:
    try:
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{given[1:]!r} cannot be read: {error}. Give @ and the name of a file of JSON.") from error
    try:
        return read(json.loads(text))
    except json.JSONDecodeError as error:
        raise CommandError(f"--criteria is not JSON: {error}. Quote it for the shell, or give @FILE.") from error
    except RecursionError as error:
        raise CommandError("What is in --criteria nests too deep; say it more simply.") from error
    except ConditionError as error:
        raise CommandError(str(error)) from error


def _document(found: Preview) -> dict[str, Any]:
    return {
        "criteria": found.in_words,
        "size": found.size,
        "peopleTotal": found.people_total,
        "isEstimate": found.is_estimate,
        "note": found.note or None,
        "faults": found.faults,
        "tookMs": round(found.took / timedelta(milliseconds=1)),
        "cost": found.cost,
        "plan": found.plan_lines,
        "sample": [
            {"id": str(one.id), "userId": one.user_id, "email": one.email, "properties": one.properties}
            for one in found.sample
        ],
    }


def _lines(found: Preview) -> Iterator[str]:
    about = "about " if found.is_estimate else ""
    share = f" ({found.size / found.people_total:.1%})" if found.people_total else ""
    yield f"Criteria: {found.in_words}"
    took = found.took.total_seconds()
    yield f"Inside: {about}{found.size:,} of {about}{found.people_total:,} people{share}, in {took:.2f} s"
    if found.note:
        yield found.note
    for fault in found.faults:
        yield f"No bucket can be so: {fault}."
    if found.sample:
        yield "\nThe newest of them:"
    for one in found.sample:
        known = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in one.properties.items())
        yield f"  {one.id}  {one.user_id}  {one.email or '-'}  {known}".rstrip()
    yield f"\nThe plan, at a cost of {found.cost:,.0f}:"
    yield from (f"  {line}" for line in found.plan_lines)
