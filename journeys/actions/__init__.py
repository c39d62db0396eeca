"""The only writers of runs, their journals and their wakeups."""

from journeys.actions.end import RunNotFoundError, RunStateError, cancel_run, retry_run

__all__ = ["RunNotFoundError", "RunStateError", "cancel_run", "retry_run"]
