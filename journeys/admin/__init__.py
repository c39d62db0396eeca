"""Journeys for staff: all of them at a glance, each on a page, people's ways through them, and who did not enter."""

from journeys.admin.journey import JourneyAdmin
from journeys.admin.runs import JourneyRunAdmin
from journeys.admin.skips import EnrolmentSkipAdmin

__all__ = ["EnrolmentSkipAdmin", "JourneyAdmin", "JourneyRunAdmin"]
