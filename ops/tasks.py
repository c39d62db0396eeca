"""What the workers do for the operators' sake."""

from datetime import UTC, datetime

from celery import shared_task

from ops.probes import record_heartbeat


@shared_task(name="ops.heartbeat")
def heartbeat() -> None:
    """Note in Redis that a worker takes tasks; the beat rings every ten seconds, the note lives thirty."""
    record_heartbeat(now=datetime.now(tz=UTC))
