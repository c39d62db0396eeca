"""The course of a run as a list of what happened, read from its journal."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from hogsend.lib.wire import wire_time
from journeys.models import JourneyRun, JourneyStep, RunStatus

# Reads that tell nobody anything: the person stands beside the run, the time beside every line.
SILENT: Final = {"user", "now"}
WAITS: Final = {"sleep": "sleep", "event": "wait"}
MARKS: Final = {*WAITS, "checkpoint"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to a run: from which place, to which if it moved, and what is known of it."""

    id: str
    at: datetime
    action: str
    from_node: str | None
    to_node: str | None = None
    detail: dict[str, Any] | None = None


def chronicle(run: JourneyRun) -> list[Entry]:
    """Tell the course of a run from its beginning, in order."""
    told = [*_began(run), *(entry for step in run.steps.order_by("seq", "id") for entry in _of(step))]
    told.sort(key=lambda entry: entry.at)
    node, found = "start", []
    for entry in (*told, *_ended(run)):
        found.append(replace(entry, from_node=None if entry.action == "entered" else node))
        node = entry.to_node or node
    return found


def _began(run: JourneyRun) -> Iterator[Entry]:
    if run.trigger_event_id is not None:
        yield Entry(
            f"{run.id}:entered", run.created_at, "entered", None, "start", {"eventId": str(run.trigger_event_id)}
        )


def _of(step: JourneyStep) -> Iterator[Entry]:
    if step.kind in SILENT:
        return
    kind, _, site = step.key.partition(":")
    name = f"{step.run_id}:{step.key}"
    if step.kind not in WAITS:
        to_node = {"checkpoint": site, "entered": "start"}.get(step.kind)
        detail = (
            step.result if isinstance(step.result, dict) else None if step.result is None else {"result": step.result}
        )
        yield Entry(name, step.created_at, step.kind, None, to_node, {"step": step.key, **(detail or {})})
        return
    yield Entry(name, step.created_at, WAITS.get(kind, step.kind), None, site, _wanted(step))
    if step.finished_at is not None:
        yield Entry(f"{name}:resume", step.finished_at, "resume", None, site, {"step": step.key, **_came(step)})


def _wanted(step: JourneyStep) -> dict[str, Any]:
    """Say until when it waits, and for what; what it waited for gives way to what came."""
    armed = step.result if step.finished_at is None and isinstance(step.result, dict) else {}
    wanted = {name: armed[name] for name in ("event", "where") if armed.get(name)}
    return {"step": step.key, "until": wire_time(step.deadline), **wanted}


def _came(step: JourneyStep) -> dict[str, Any]:
    return step.result if step.kind == "event" and isinstance(step.result, dict) else {}


def _ended(run: JourneyRun) -> Iterator[Entry]:
    if run.ended_at is None:
        return
    detail = {"reason": run.exit_reason} if run.status == RunStatus.EXITED else None
    detail = {"error": run.error} if run.status == RunStatus.FAILED else detail
    yield Entry(f"{run.id}:ended", run.ended_at, run.status, None, None, detail)
