import time

from celery import shared_task

from emails.actions import deliver_due, reclaim_lost
from hogsend import doorbell
from hogsend.clock import database_now

ONE_TURN = 45.0  # seconds; then the next ring goes on, so that a long queue holds no worker for ever


@shared_task(name="emails.deliver", ignore_result=True)
def deliver() -> None:
    """Hand over mail until none is due."""
    end = time.monotonic() + ONE_TURN
    while deliver_due(now=database_now()):
        if time.monotonic() > end:
            doorbell.ring("emails.deliver")
            return


@shared_task(name="emails.reclaim", ignore_result=True)
def reclaim() -> None:
    """Settle mail whose worker was lost."""
    reclaim_lost(now=database_now())
