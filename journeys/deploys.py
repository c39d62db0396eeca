"""Code that changes while people are on the way."""

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from journeys.definitions import index
from journeys.rules import storable

if TYPE_CHECKING:
    from journeys.actions.lease import RecordedStep
    from journeys.journal import Journal

PATCH: Final = "patched:"
DRIFT: Final = "drift"
MOST_DRIFT: Final = 100
LONGEST_KEY: Final = 100


class Deploys:
    """What ``ctx`` offers to code that was changed."""

    _journal: "Journal"

    @cached_property
    def _patches(self) -> dict[str, bool]:
        return {}

    def patched(self, change: str) -> bool:
        """Say whether this run takes the new way: true if it comes here anew, false if it has been past here before.

        The answer is recorded under the name of the change and holds for the whole run, however often it is asked for.
        What a run of the old code recorded further on, it finds again on the old way.

        Args:
            change: Names the change, like ``"shorter-trial"``; each change of a journey has a name of its own.

        Raises TypeError for what is no name.
        """
        if not isinstance(change, str) or not change.strip():
            raise TypeError(f"ctx.patched takes the name of a change, like 'shorter-trial'; it got {change!r}.")
        journal, key = self._journal, storable(f"{PATCH}{change}")
        journal.check()
        if key not in self._patches:
            found = journal.recall(key)
            if found is None:
                self._patches[key] = journal.note(key, "patched", is_live(journal.lease.steps, journal.unvisited()))
            else:
                self._patches[key] = bool(json.loads(found.result or "false"))
        return self._patches[key]


def is_live(steps: "Mapping[str, RecordedStep]", unvisited: Collection[str]) -> bool:
    """Say whether a replay that has yet to meet ``unvisited`` stands where no recorded step lies beyond.

    A wait that was met has everything behind it that was recorded earlier: those steps the code has dropped. A wait
    that was not met always lies beyond.
    """
    missing = {key for key in unvisited if not key.startswith(PATCH)}
    for key in reversed(list(steps)):
        if key in missing:
            return False
        if steps[key].deadline is not None:
            # A step that was added to the code takes its number late; only waits tell what lies before them.
            return not any(steps[other].deadline is not None for other in missing)
    return not missing


def drift_of(unvisited: Collection[str]) -> list[str]:
    """Return which recorded steps a finished run did not meet, as many as its journal shall keep."""
    dropped = [key for key in unvisited if not key.startswith(PATCH)]
    return [key[:LONGEST_KEY] for key in dropped[:MOST_DRIFT]]


def absence_of(journey_id: str, version: int) -> str:
    """Say why runs of a version of a journey cannot be played here, or nothing."""
    known = index().by_id.get(journey_id)
    if known is None:
        return f"The journey {journey_id!r} is not in the code that runs here; put it back, or cancel the run."
    if not known.is_wanted:
        left_out = "ENABLED_JOURNEYS" if known.bucket is None else "ENABLED_BUCKETS"
        return f"{left_out} leaves out {known.bucket_id or journey_id!r}; add it, and the run goes on."
    if version not in known.functions:
        return (
            f"Version {version} of the journey {journey_id!r} is neither the current one ({known.version}) nor kept; "
            f"put its function back with keep={{{version}: …}}, or cancel the run."
        )
    return ""
