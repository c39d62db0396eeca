"""Put what is due in paused journeys out of the way of claims, and take it back as it was.

No claim takes a paused run (journeys/actions/lease.py); but each claim would have to step over all that are overdue.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from hogsend.doorbell import ring
from journeys.statements import affect

# So far ahead that nothing is due there; taken back, each is due when it was, so the longest overdue goes first.
AHEAD: Final = timedelta(hours=9_600_000)
FAR: Final = datetime(3100, 1, 1, tzinfo=UTC)
# The share lock makes whoever resumes a journey wait, and see what was put away here.
PARK = """
    with paused as (
        select journey_id from journeys_journeyoverride
        where paused and (%(journey)s::text is null or journey_id = %(journey)s)
        order by journey_id for share
    )
    update journeys_wakeup
    set due_at = due_at + %(ahead)s, claimed_until = null
    where id = any(array(
        select w.id from journeys_wakeup w
        where w.due_at <= %(now)s and exists (
            select from journeys_journeyrun r
            where r.id = w.run_id and r.journey_id in (select journey_id from paused) offset 0
        )
        order by w.id for update of w skip locked
    )) and exists (select from paused)
"""
# Also what was claimed before the pause and refused then: it need not wait until the claim lapses.
TAKE_BACK = """
    update journeys_wakeup
    set claimed_until = null, due_at = case when due_at > %(far)s then due_at - %(ahead)s else due_at end
    where id = any(array(
        select w.id from journeys_wakeup w
        where (w.due_at > %(far)s or (w.due_at <= %(now)s and w.claimed_until is not null)) and exists (
            select from journeys_journeyrun r
            where r.id = w.run_id and r.journey_id = %(journey)s
                and (r.lease_until is null or w.due_at > %(far)s) offset 0
        )
        order by w.id for update of w
    ))
"""
# The trace of an override that went by another hand than ours.
LOST = """
    update journeys_wakeup set due_at = due_at - %(ahead)s
    where id = any(array(
        select w.id from journeys_wakeup w
        where w.due_at > %(far)s and not exists (
            select from journeys_journeyrun r, journeys_journeyoverride o
            where r.id = w.run_id and o.journey_id = r.journey_id and o.paused offset 0
        )
        order by w.id for update of w
    ))
"""


def park_due(*, now: datetime) -> int:
    """Put away what is due in paused journeys, and return how much; what lies there without a pause comes back."""
    if affect(LOST, {"ahead": AHEAD, "far": FAR}):
        ring("journeys.advance")
    return affect(PARK, {"journey": None, "ahead": AHEAD, "now": now})


def park(journey_id: str, *, now: datetime) -> None:
    """Put away what is due in one journey, if it is paused."""
    affect(PARK, {"journey": journey_id, "ahead": AHEAD, "now": now})


def take_back(journey_id: str, *, now: datetime) -> None:
    """Let all that was put away of a journey be due when it was."""
    affect(TAKE_BACK, {"journey": journey_id, "far": FAR, "now": now, "ahead": AHEAD})
    ring("journeys.advance")


def unparked(due_at: datetime) -> datetime:
    """Return when a wakeup is due, or was before it was put away."""
    return due_at - AHEAD if due_at > FAR else due_at
