"""Who hears of recorded events, in which order: the consumers named in HOGSEND_EVENT_CONSUMERS.

A consumer is a function ``consumer(batch: Batch) -> None``. It may carry further functions as attributes:

event_names(): The names it reacts to one by one: two such events of one person never reach it in the same batch.
concerns(submission): Whether it reacts to an event at all. What concerns no consumer is recorded the short way and told
    to nobody (events/actions/quick.py). Without it every event concerns the consumer.
hear(answer): What it has to say of people to whom only such events happened, as exits by contact, from the answer of
    the database function that its attribute ``question`` names, which takes the contacts' ids and returns JSON.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from events.definitions import Batch, Exit
from events.submission import Submission

Consumer = Callable[[Batch], None]


def tell(batch: Batch) -> None:
    """Hand a batch to every consumer in order, inside the transaction that recorded it."""
    for consumer in consumers():
        consumer(batch)


def consumers() -> tuple[Consumer, ...]:
    """Return the consumers named in the settings."""
    return _load(tuple(settings.HOGSEND_EVENT_CONSUMERS))


def told_alone() -> frozenset[str]:
    """Return the event names of which a batch holds at most one per person."""
    return frozenset().union(*(names() for names in _attributes("event_names") if names is not None))


def concerns_somebody(submission: Submission) -> bool:
    """Say whether a consumer may react to this event."""
    return any(concerns is None or concerns(submission) for concerns in _attributes("concerns"))


def questions() -> list[str]:
    """Return the functions of the database that consumers want to be asked about the people of a batch."""
    return [question for question in _attributes("question") if question is not None]


def hear(answers: Sequence[str]) -> dict[UUID, tuple[Exit, ...]]:
    """Let the consumers say what their questions' answers mean."""
    found: dict[UUID, tuple[Exit, ...]] = {}
    asking = [consumer for consumer in consumers() if getattr(consumer, "question", None) is not None]
    for consumer, answer in zip(asking, answers, strict=True):
        found.update(consumer.hear(answer))  # type: ignore[attr-defined]
    return found


def _attributes(name: str) -> tuple[Any, ...]:
    return _find(tuple(settings.HOGSEND_EVENT_CONSUMERS), name)


@lru_cache(maxsize=32)
def _find(paths: tuple[str, ...], name: str) -> tuple[Any, ...]:
    return tuple(getattr(consumer, name, None) for consumer in _load(paths))


@lru_cache(maxsize=8)
def _load(paths: tuple[str, ...]) -> tuple[Consumer, ...]:
    return tuple(import_string(path) for path in paths)
