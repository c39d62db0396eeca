"""How buckets react to recorded events: whoever an event may have moved is judged."""

from buckets.actions import judge_each
from buckets.definitions import index
from buckets.models import Source
from buckets.rules import PREFIX
from events.definitions import Batch
from events.routing import Consumer
from events.submission import Submission


def _judge(batch: Batch) -> None:
    """Judge the people of the batch by the buckets that its events and patches concern.

    What buckets cause themselves moves nobody.
    """
    known = index()
    batch.caused += judge_each(
        (
            (bucket, event.contact_id)
            for event in batch.events
            if not event.name.startswith(PREFIX)
            for bucket in known.concerned(event=event.name, properties=event.patched, is_new=event.is_first)
        ),
        source=Source.EVENT,
        now=batch.now,
    )


def _concerns(submission: Submission) -> bool:
    known = index()
    # Whether somebody is new is not known yet.
    return bool(
        known.of_strangers or known.concerned(event=submission.name, properties=frozenset(submission.patch or ()))
    )


update_buckets = Consumer(_judge, concerns=_concerns)
