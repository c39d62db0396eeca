"""Who hears of recorded events, in which order: the consumers named in HOGSEND_EVENT_CONSUMERS.

A consumer is a function ``consumer(batch: Batch) -> None``. It may carry an attribute ``event_names``, a function that
returns the names it reacts to one by one: two such events of one person then never reach it in the same batch.
"""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from events.definitions import Batch

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
    named = (getattr(consumer, "event_names", None) for consumer in consumers())
    return frozenset().union(*(names() for names in named if names is not None))


@lru_cache(maxsize=8)
def _load(paths: tuple[str, ...]) -> tuple[Consumer, ...]:
    return tuple(import_string(path) for path in paths)
