"""`manage.py backfill_bucket`: judge everybody by one bucket."""

from argparse import ArgumentParser
from collections.abc import Iterator
from time import sleep
from typing import Any

from django.core.management.base import CommandError

from buckets.actions import BucketOffError, begin_backfill, continue_backfill
from buckets.models import Backfill, BackfillStatus
from hogsend.clock import database_now
from hogsend.management.buckets import BucketCommand, live_bucket

LOOKS_EVERY = 0.5  # seconds, while a worker is at it
ENDS = {
    BackfillStatus.SUPERSEDED: "was given up, because a process with other criteria began one of its own",
    BackfillStatus.CANCELLED: "was cancelled, because the bucket was switched off or on meanwhile",
}


class Command(BucketCommand):
    help = (
        "Judge everybody by a bucket now: who belongs joins in silence, who does not leaves. "
        "Goes on with a backfill that is running. Progress stands on stderr; exits with 1 if it was not finished."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="the bucket")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any]) -> tuple[Any, Iterator[str], bool]:
        """Begin a backfill, or find the one that runs, and see it through."""
        bucket = live_bucket(options["id"])
        try:
            row = begin_backfill(bucket, now=database_now())
        except BucketOffError as error:
            raise CommandError(str(error)) from error
        while row.status == BackfillStatus.RUNNING:
            if not continue_backfill(row.pk, now=database_now()):
                sleep(LOOKS_EVERY if _is_running(row) else 0)
            row.refresh_from_db()
            share = min(row.processed / row.total, 1) if row.total else 1
            self.stderr.write(f"{row.processed:,} of about {row.total:,} people ({share:.0%})")
        return _document(row), iter([_line(row)]), row.status == BackfillStatus.DONE


def _is_running(row: Backfill) -> bool:
    return Backfill.objects.filter(pk=row.pk, status=BackfillStatus.RUNNING).exists()


def _document(row: Backfill) -> dict[str, Any]:
    return {
        "id": row.bucket_id,
        "backfill": str(row.pk),
        "mode": row.mode,
        "status": row.status,
        "people": row.processed,
        "joined": row.joined,
        "left": row.left,
    }


def _line(row: Backfill) -> str:
    status = BackfillStatus(row.status)
    if status != BackfillStatus.DONE:
        return f"The backfill of {row.bucket_id} {ENDS[status]}."
    return f"{row.bucket_id}: {row.processed:,} people were judged, {row.joined:,} joined, {row.left:,} left."
