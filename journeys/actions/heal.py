"""Find runs that nothing would ever wake."""

from datetime import datetime, timedelta
from typing import Final

from hogsend.doorbell import ring
from journeys.statements import affect

STILL: Final = timedelta(minutes=1)
HEAL = """
    insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
    select r.id, '', 'retry', %(now)s, 0
    from journeys_journeyrun r
    where r.status in ('active', 'waiting') and r.progressed_at < %(before)s
        and (r.lease_until is null or r.lease_until < %(now)s)
        and not exists (select from journeys_wakeup where run_id = r.id)
    order by r.progressed_at limit %(limit)s
    on conflict do nothing
"""


def heal_runs(*, now: datetime, limit: int = 1000) -> int:
    """Give a wakeup to live runs that have none, that nobody holds and that stood still for a minute; count them.

    There should be none: each one is the trace of a defect, or of somebody's hand in the database.
    """
    healed = affect(HEAL, {"now": now, "before": now - STILL, "limit": limit})
    if healed:
        ring("journeys.advance")
    return healed
