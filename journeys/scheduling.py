"""The part of ``ctx`` that finds moments where the person lives: ``ctx.when``."""

from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.conf import settings

from journeys.journal import Journal
from journeys.timezones import zone_of
from journeys.when import When


class Scheduling:
    """Times in the person's zone. The zone and the time are recorded, so a replay finds the same moments."""

    _journal: Journal

    @property
    def when(self) -> When:
        """Find a moment in the person's zone: ``ctx.sleep_until(ctx.when.next("tuesday").at("08:00"))``.

        The zone is looked up once, and again after each wait: somebody may have moved. HOGSEND_SEND_WINDOW holds unless
        ``window`` says otherwise.
        """
        site = self._journal.site
        if site not in self._zones:
            self._zones[site] = ZoneInfo(self._journal.read(f"zone:{site}", "zone", self._zone)["name"])
        return When(self._zones[site], self._moment, settings.HOGSEND_SEND_WINDOW)

    @cached_property
    def _zones(self) -> dict[str, ZoneInfo]:
        return {}

    def _zone(self) -> dict[str, str]:
        zone = zone_of(self._journal.lease.contact_id, now=self._journal.now())
        return {"name": zone.name, "source": zone.source}

    def _moment(self) -> datetime:
        found = self._journal.read(f"when:{self._journal.site}", "when", lambda: self._journal.now().isoformat())
        return datetime.fromisoformat(found)
