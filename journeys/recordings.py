"""Runs with their journals as files: to be replayed later, elsewhere, against other code."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from journeys.models import StepStatus
from journeys.queries import RecordedRun

FORMAT: Final = 1


class RecordingError(ValueError):
    """A file is no recording; the message says which and why."""


def write_recording(file: Path, runs: Iterable[RecordedRun]) -> None:
    """Write runs into a file that nobody else may read, for it holds what is known of people."""
    file.touch(mode=0o600)
    document = {"format": FORMAT, "runs": [_document(run) for run in runs]}
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_recordings(place: Path) -> Iterator[RecordedRun]:
    """Return the runs of a file, or of all ``*.json`` of a directory. Raises RecordingError."""
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files:
        raise RecordingError(f"There is no recording in {place}; make one with `manage.py check_replay --export FILE`.")
    for file in files:
        try:
            yield from [_run(one) for one in json.loads(file.read_text(encoding="utf-8"))["runs"]]
        except OSError as error:
            raise RecordingError(f"{file} cannot be read: {error.strerror}.") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(
                f"{file} is no recording that `manage.py check_replay --export FILE` made ({error!r}); make it anew."
            ) from error


def _document(run: RecordedRun) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "journeyId": run.journey_id,
        "version": run.version,
        "codeHash": run.code_hash,
        "status": run.status,
        "context": run.context,
        "contactId": str(run.contact_id),
        "at": run.at.isoformat(),
        "userKey": run.user_key,
        "email": run.email,
        "steps": run.steps,
    }


def _run(document: dict[str, Any]) -> RecordedRun:
    return RecordedRun(
        id=UUID(document["id"]),
        journey_id=str(document["journeyId"]),
        version=int(document["version"]),
        code_hash=str(document["codeHash"]),
        status=str(document["status"]),
        context=dict(document["context"]),
        contact_id=UUID(document["contactId"]),
        at=datetime.fromisoformat(document["at"]),
        user_key=str(document["userKey"]),
        email=str(document["email"]),
        steps=[_step(step) for step in document["steps"]],
    )


def _step(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step as it is, if it is one."""
    datetime.fromisoformat(step["createdAt"])
    if step["deadline"] is not None:
        datetime.fromisoformat(step["deadline"])
    return {**step, "key": str(step["key"]), "status": StepStatus(step["status"]).value, "result": step["result"]}
