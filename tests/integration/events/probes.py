"""Consumers that tests put into HOGSEND_EVENT_CONSUMERS."""

from uuid import UUID, uuid4

from django.db import connection

from events.definitions import Batch, Exit, NewEvent
from events.routing import Consumer

HERE = "tests.integration.events.probes"
THRESHOLD = 3

seen: list[list[tuple[str, int]]] = []
joined: list[UUID] = []


def forget() -> None:
    seen.clear()
    joined.clear()


def forget_it(batch: Batch) -> None:
    """Hear of everything and do nothing."""


def note(batch: Batch) -> None:
    """Remember what was told together."""
    seen.append([(event.name, event.hop) for event in batch.events])


note_one_by_one = Consumer(note, event_names=lambda: frozenset({"start", "stop"}))


def end_a_run(batch: Batch) -> None:
    """Answer that every "stop" ended one run and considered another."""
    for event in batch.events:
        if event.name == "stop":
            batch.exits[event.id] = [Exit("welcome", uuid4(), exited=True), Exit("tips", uuid4(), exited=False)]


def cause_another(batch: Batch) -> None:
    """Answer every "start" with one event of the engine's own, and every "loop" with a further one, for ever."""
    for event in batch.events:
        if event.name == "start":
            batch.caused.append(NewEvent(event.contact_id, "journey:started", {"by": str(event.id)}))
        if event.name == "loop":
            batch.caused.append(NewEvent(event.contact_id, "loop"))


def fail_for_bad(batch: Batch) -> None:
    for event in batch.events:
        if event.name == "bad":
            raise RuntimeError("a consumer with a fault")


def join_at_threshold(batch: Batch) -> None:
    """Count each person's events in the database, as a bucket does, and note whoever reaches the threshold."""
    with connection.cursor() as cursor:
        for contact_id in {event.contact_id for event in batch.events}:
            cursor.execute("select count(*) from events_event where contact_id = %s", [contact_id])
            if cursor.fetchone()[0] >= THRESHOLD:
                joined.append(contact_id)
