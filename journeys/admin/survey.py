"""All journeys at a glance, in a number of statements that does not grow with them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hogsend.admin_site import values_in_use
from journeys.admin.words import State, state_of
from journeys.definitions import registry
from journeys.models import LIVE, JourneyOverride, JourneyRun
from journeys.overview import run_counts, skip_counts

SORTS: dict[str, Callable[["Line"], Any]] = {
    "name": lambda line: line.name.lower(),
    "live": lambda line: line.live,
    "completed": lambda line: line.counts["completed"],
    "exited": lambda line: line.counts["exited"],
    "failed": lambda line: line.counts["failed"],
    "skipped": lambda line: line.skipped,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One journey in the list."""

    id: str
    name: str
    trigger: str
    state: State
    counts: dict[str, int]
    skipped: int

    @property
    def live(self) -> int:
        """How many are on the way."""
        return sum(self.counts[status] for status in LIVE)


def survey(*, now: datetime) -> list[Line]:
    """Return a line for each declared journey, then for those of which only runs or switches are left."""
    declared = {journey.id: journey for journey in registry}
    overrides = {override.journey_id: override for override in JourneyOverride.objects.all()}
    gone = {*overrides, *values_in_use(JourneyRun, "journey_id")} - set(declared)
    ids = [*sorted(declared, key=lambda one: declared[one].name.lower()), *sorted(gone)]
    counts, skips = run_counts(ids), skip_counts(ids, now=now)
    lines = []
    for journey_id in ids:
        journey = declared.get(journey_id)
        state = state_of(journey, overrides.get(journey_id) or JourneyOverride(journey_id=journey_id))
        name, trigger = (journey.name, journey.trigger) if journey else (journey_id, "")
        lines.append(Line(journey_id, name, trigger, state, counts[journey_id], sum(skips[journey_id].values())))
    return lines


def arranged(lines: Iterable[Line], *, kind: str, words: str, sort: str) -> list[Line]:
    """Return the lines of one kind of state whose name, id or trigger holds the words; a minus turns ``sort``."""
    wanted = words.strip().lower()
    found = [
        line
        for line in lines
        if kind in {"", line.state.kind} and any(wanted in text.lower() for text in (line.name, line.id, line.trigger))
    ]
    key = SORTS.get(sort.removeprefix("-"))
    return found if key is None else sorted(found, key=key, reverse=sort.startswith("-"))
