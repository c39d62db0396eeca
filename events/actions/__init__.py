"""The only writers of events and of the idempotency keys that guard them."""

from events.actions.ingest import emit_events, forget_keys, ingest_events, ingest_merging, recorded_before
from events.actions.people import forget_keys_of, move_events, return_events
from events.actions.quick import ingest_quickly

__all__ = [
    "emit_events",
    "forget_keys",
    "forget_keys_of",
    "ingest_events",
    "ingest_merging",
    "ingest_quickly",
    "move_events",
    "recorded_before",
    "return_events",
]
