"""Whatever is rung is a task, and whatever is rung has a sweep."""

import ast
from pathlib import Path

from hogsend.celery import BEAT, app

ROOT = Path(__file__).resolve().parents[2]
APPS = [path.parent for path in ROOT.glob("*/apps.py")]


def rung_names() -> set[str]:
    names = set()
    for file in (file for folder in APPS for file in folder.rglob("*.py") if "migrations" not in file.parts):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "ring":
                names.update(arg.value for arg in node.args if isinstance(arg, ast.Constant))
    return names


def tasks() -> set[str]:
    app.loader.import_default_modules()
    return set(app.tasks)


def test_every_rung_name_is_a_registered_task():
    assert rung_names(), "no ring was found: the search is broken"
    assert rung_names() <= tasks()


def test_every_scheduled_name_is_a_registered_task():
    assert {task for task, _ in BEAT.values()} <= tasks()


def test_every_rung_name_has_a_sweep():
    assert rung_names() <= {task for task, _ in BEAT.values()}


def test_every_task_of_ours_goes_to_a_known_queue():
    queues = {app.amqp.router.route({}, name)["queue"].name for name in tasks() if not name.startswith("celery.")}
    assert queues <= {"journeys", "mail", "bulk"}
