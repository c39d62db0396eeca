import time
from typing import Any, Final

import structlog
from celery import shared_task

from hogsend.doorbell import ring
from journeys.actions.capture import deliver_captures
from journeys.actions.heal import heal_runs
from journeys.actions.lease import database_now
from journeys.actions.park import park_due
from journeys.runtime import advance_due

CLAIM: Final = 50  # runs per claim: few enough that one slow journey keeps few others waiting
PATIENCE: Final = 20.0  # seconds per task: then others get their turn

log = structlog.get_logger(__name__)


@shared_task(name="journeys.advance")
def advance(**_: Any) -> None:
    """Advance what is due until nothing is, or ring again when it takes long."""
    until = time.monotonic() + PATIENCE
    while advance_due(limit=CLAIM):
        if time.monotonic() > until:
            ring("journeys.advance")
            return


@shared_task(name="journeys.heal")
def heal(**_: Any) -> None:
    """Wake live runs that stand still, and put away what became due in paused journeys."""
    now = database_now()
    park_due(now=now)
    healed = heal_runs(now=now)
    if healed:
        log.error("journeys.healed", runs=healed)


@shared_task(name="journeys.capture")
def capture(**_: Any) -> None:
    """Hand over to PostHog what journeys tell, until nothing is due or something was refused."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        done = deliver_captures(now=database_now())
        if done.failed or not done.sent:
            return
