"""What operators see of journeys: how each stands, who is on the way, and what a run waits for."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from contacts.models import Contact
from contacts.queries import contact_by_id, contact_by_keys
from contacts.rules import keys_of
from journeys.definitions import Journey, index
from journeys.models import LIVE, EnrolmentSkip, JourneyOverride, JourneyRun, JourneyStep, RunStatus, StepStatus
from journeys.statements import fetch

LATELY: Final = timedelta(days=7)
RECENT, AMONG = 10, 1000
NAMES = Contact.objects.only("id", "external_id", "anonymous_id", "email", "deleted_at")
COUNTS = """
    select journey_id, status, count(*) from journeys_journeyrun
    where journey_id = any(%s) group by 1, 2
"""
SKIPS = """
    select journey_id, reason, count(*) from journeys_enrolmentskip
    where journey_id = any(%s) and created_at >= %s group by 1, 2 order by 3 desc, 2
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """How a journey stands; ``counts`` has its runs by status."""

    journey: Journey
    override: JourneyOverride
    counts: dict[str, int]

    @property
    def enabled(self) -> bool:
        """Whether anybody can enter: the code and staff both say so."""
        return is_on(self.journey, self.override)

    @property
    def live(self) -> int:
        """How many are on the way."""
        return sum(self.counts[status] for status in LIVE)


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a run waits for: only time, or an event whose properties fit, until a moment."""

    label: str
    until: datetime | None
    event: str | None = None
    where: tuple[dict[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        """Return ``event`` or ``sleep``."""
        return "sleep" if self.event is None else "event"


def is_on(journey: Journey, override: JourneyOverride | None) -> bool:
    """A journey is on if the code says so and staff has not switched it off."""
    return journey.enabled and (override is None or override.enabled)


def journeys_here(*, enabled: bool | None = None) -> list[Journey]:
    """Return the journeys that exist here in the order of declaration: all, or those alone that are on or off."""
    found = [journey for journey in index().by_id.values() if journey.is_wanted]
    if enabled is None:
        return found
    overrides = JourneyOverride.objects.in_bulk([journey.id for journey in found])
    return [journey for journey in found if is_on(journey, overrides.get(journey.id)) is enabled]


def overviews(journeys: Collection[Journey]) -> list[Overview]:
    """Say how each of these stands, however many they are in two statements."""
    ids = [journey.id for journey in journeys]
    overrides, counts = JourneyOverride.objects.in_bulk(ids), run_counts(ids)
    return [
        Overview(one, overrides.get(one.id) or JourneyOverride(journey_id=one.id), counts[one.id]) for one in journeys
    ]


def run_counts(journey_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Count the runs of each of these by status."""
    found = {journey_id: dict.fromkeys(RunStatus.values, 0) for journey_id in journey_ids}
    for journey_id, status, count in fetch(COUNTS, [list(found)]):
        found[journey_id][status] = count
    return found


def skip_counts(journey_ids: Collection[str], *, now: datetime) -> dict[str, dict[str, int]]:
    """Count by reason who did not enter each of these in the last seven days, the most frequent reason first."""
    found: dict[str, dict[str, int]] = {journey_id: {} for journey_id in journey_ids}
    for journey_id, reason, count in fetch(SKIPS, [list(found), now - LATELY]):
        found[journey_id][reason] = count
    return found


def runs(
    *, journey_id: str | None = None, status: str | None = None, user_id: str | None = None
) -> QuerySet[JourneyRun]:
    """Return the runs that are asked for, the newest first: ids are in the order of time."""
    asked = {"journey_id": journey_id, "status": status}
    found = JourneyRun.objects.filter(**{name: value for name, value in asked.items() if value is not None})
    if user_id is not None:
        found = found.filter(contact_id__in=called(user_id))
    return found.order_by("-id").prefetch_related(Prefetch("contact", NAMES))


def moved_last(journey_id: str) -> list[JourneyRun]:
    """Return the ten that moved last of the thousand newest runs."""
    newest = list(JourneyRun.objects.filter(journey_id=journey_id).order_by("-id").values_list("id", flat=True)[:AMONG])
    return list(runs().filter(id__in=newest).order_by("-progressed_at", "-id")[:RECENT])


def awaited(found: Iterable[JourneyRun]) -> dict[UUID, Awaited]:
    """Say of each of these runs that waits what it waits for."""
    waiting = [run.id for run in found if run.status == RunStatus.WAITING]
    steps = JourneyStep.objects.filter(run_id__in=waiting, status=StepStatus.PENDING).order_by("run_id", "-seq")
    return {step.run_id: _awaited(step) for step in steps.distinct("run_id")}


def skips_of(journey_id: str) -> QuerySet[EnrolmentSkip]:
    """Return who did not enter a journey, the newest first."""
    return EnrolmentSkip.objects.filter(journey_id=journey_id).order_by("-id")


def called(key: str) -> list[UUID]:
    """Return whom any key of a person means, after merges the survivor; of who was deleted, only our own id is left."""
    if (contact := contact_by_keys(keys_of(user_id=key, email=key, anonymous_id=key))) is not None:
        return [contact.pk]
    with suppress(ValueError):
        mine = UUID(key.strip())
        known = contact_by_id(mine)
        return [mine if known is None else known.pk]
    return []


def _awaited(step: JourneyStep) -> Awaited:
    armed = step.result if isinstance(step.result, dict) else {}
    return Awaited(step.key.partition(":")[2], step.deadline, armed.get("event"), tuple(armed.get("where") or ()))
