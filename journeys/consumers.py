"""How journeys react to recorded events: runs that an event ends leave first, then people enter."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from events.definitions import Batch, Exit
from events.submission import Submission
from journeys.actions.enrol import enrol_people
from journeys.actions.exit import exit_people, runs_considered
from journeys.definitions import index


@dataclass(frozen=True)
class Consumer:
    """A reaction to a batch, and the names of the events that concern it (read anew for each batch)."""

    react: Callable[[Batch], None]
    event_names: Callable[[], frozenset[str]]
    question: str | None = None
    hear: Callable[[str], dict[UUID, tuple[Exit, ...]]] | None = None

    def __call__(self, batch: Batch) -> None:
        """React within the recording transaction, under the locks of all contacts in the batch."""
        self.react(batch)

    def concerns(self, submission: Submission) -> bool:
        """Say whether there is anything to react to."""
        return submission.name in self.event_names()


def _exit_names() -> frozenset[str]:
    return index().exit_names


def _trigger_names() -> frozenset[str]:
    return index().trigger_names


exit_runs = Consumer(exit_people, _exit_names, question="journeys_live_runs", hear=runs_considered)
enrol = Consumer(enrol_people, _trigger_names)
