"""Who hears of recorded events, in which order: the consumers named in HOGSEND_EVENT_CONSUMERS.

A consumer is a Consumer, or a plain function ``consumer(batch: Batch) -> None``, whom every event concerns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from events.definitions import Batch, Exit, Listener
from events.submission import Submission


@dataclass(frozen=True)
class Consumer:
    """A reaction to a batch, inside the recording transaction and under the locks of all contacts in the batch.

    Attributes:
        react: Does it.
        concerns: Whether it reacts to an event at all. What concerns no consumer is recorded the short way and told to
            nobody (events/actions/quick.py).
        event_names: The names it reacts to one by one: two such events of one person never reach it in the same batch.
        question: A function of the database, asked about the events that went the short way, from the ids of their
            people and their names to JSON. It may write.
        hear: What its answer means, as exits by contact.
        listeners: What is declared to start on the event of a name, also what is switched off.
    """

    react: Callable[[Batch], None]
    concerns: Callable[[Submission], bool] = lambda _: True
    event_names: Callable[[], frozenset[str]] = frozenset
    question: str = ""
    hear: Callable[[str], dict[UUID, tuple[Exit, ...]]] = lambda _: {}
    listeners: Callable[[str], list[Listener]] = lambda _: []

    def __call__(self, batch: Batch) -> None:
        """React."""
        self.react(batch)


def tell(batch: Batch) -> None:
    """Hand a batch to every consumer in order, inside the transaction that recorded it."""
    for consumer in consumers():
        consumer(batch)


def consumers() -> tuple[Consumer, ...]:
    """Return the consumers named in the settings."""
    return _load(tuple(settings.HOGSEND_EVENT_CONSUMERS))


def told_alone() -> frozenset[str]:
    """Return the event names of which a batch holds at most one per person."""
    return frozenset().union(*(consumer.event_names() for consumer in consumers()))


def concerns_somebody(submission: Submission) -> bool:
    """Say whether a consumer may react to this event."""
    return any(consumer.concerns(submission) for consumer in consumers())


def listeners_of(name: str) -> list[Listener]:
    """Return what the event of this name starts: first what a bucket owns, then in the order of declaration."""
    found = [listener for consumer in consumers() for listener in consumer.listeners(name)]
    return sorted(found, key=lambda listener: listener.owner is None)


def questions() -> list[str]:
    """Return the functions of the database that consumers want to be asked about the people of a batch."""
    return [consumer.question for consumer in consumers() if consumer.question]


def hear(answers: Sequence[str]) -> dict[UUID, tuple[Exit, ...]]:
    """Let the consumers say what the answers to their questions mean."""
    found: dict[UUID, tuple[Exit, ...]] = {}
    asking = (consumer for consumer in consumers() if consumer.question)
    for consumer, answer in zip(asking, answers, strict=True):
        found.update(consumer.hear(answer))
    return found


@lru_cache(maxsize=8)
def _load(paths: tuple[str, ...]) -> tuple[Consumer, ...]:
    found = (import_string(path) for path in paths)
    return tuple(one if isinstance(one, Consumer) else Consumer(one) for one in found)
