"""`manage.py verify_buckets`: is everybody where they belong?"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from buckets.actions import NotVerifiableError, verify
from buckets.definitions import Bucket
from buckets.models import Verification
from hogsend.management.buckets import BucketCommand, live_buckets


class Command(BucketCommand):
    help = (
        "Judge everybody anew, compare with who is in, and move those who are astray. "
        "Exits with 1 if somebody astray was not moved, or if a bucket that was named cannot be verified now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="id", help="which buckets; all that are enabled if not given")
        parser.add_argument("--no-repair", action="store_true", help="count those who are astray, and move nobody")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterator[str], bool]:
        """Verify each bucket, one after the other."""
        documents = []
        for bucket in live_buckets(options["ids"]):
            self.stderr.write(f"Verifying {bucket.id} ...")
            documents.append(_verified(bucket, repair=not options["no_repair"]))
        well = all(_is_well(one, named=bool(options["ids"])) for one in documents)
        return {"buckets": documents}, (_line(one) for one in documents), well


def _verified(bucket: Bucket, *, repair: bool) -> dict[str, Any]:
    try:
        return {"id": bucket.id, "verified": True, **_counts(verify(bucket, repair=repair))}
    except NotVerifiableError as error:
        return {"id": bucket.id, "verified": False, "why": str(error)}


def _counts(done: Verification) -> dict[str, int]:
    return {"people": done.people, "missing": done.missing, "surplus": done.surplus, "repaired": done.repaired}


def _is_well(one: dict[str, Any], *, named: bool) -> bool:
    return one["repaired"] >= one["missing"] + one["surplus"] if one["verified"] else not named


def _line(one: dict[str, Any]) -> str:
    if not one["verified"]:
        return f"{one['id']} was not verified: {one['why']}"
    astray = one["missing"] + one["surplus"]
    if not astray:
        return f"{one['id']}: all of {one['people']:,} people are where they belong."
    return (
        f"{one['id']}: {astray:,} of {one['people']:,} people were astray ({one['missing']:,} missing, "
        f"{one['surplus']:,} too many); {one['repaired']:,} were moved."
    )
