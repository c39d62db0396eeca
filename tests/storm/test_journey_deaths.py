"""A worker is killed with -9 before and after every statement and every commit; another one finishes its work."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

NURSERY = Path(__file__).with_name("journey_nursery.py")
ROOT = NURSERY.parents[2]

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def deaths(story: str, state: Path, engine_urls: dict[str, str]) -> list[dict[str, Any]]:
    url = urlsplit(engine_urls["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {**os.environ, "DATABASE_URL": url, "HOGSEND_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "hogsend.settings", "LOG_LEVEL": "error"}
    done = subprocess.run(
        [sys.executable, str(NURSERY), story],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_wherever_a_worker_dies_every_run_completes_with_one_send_of_each(tmp_path, engine_urls):
    told = deaths("advance", tmp_path, engine_urls)

    assert len(told) > 15
    assert [one["died"] for one in told] == [True] * (len(told) - 1) + [False]
    for one in told:
        assert (one["status"], one["sends"], one["wakeups"]) == (["completed"], ["storm-hello", "storm-bye"], 0), one
        assert one["error"] == [""], one
        assert len(one["steps"]) == len(set(one["steps"])) == len(told[-1]["steps"]), one


def test_wherever_a_worker_dies_no_provider_accepts_a_mail_twice(tmp_path, engine_urls):
    told = deaths("deliver", tmp_path, engine_urls)

    assert len(told) > 10
    for one in told:
        assert one["status"] == ["completed"], one
        accepted = Counter(one["accepted"])
        assert set(accepted.values()) == {1}, one
        assert len(one["ledger"]) == 2, one
        assert set(one["ledger"]) <= {"sent", "unknown"}, one
        assert one["ledger"].count("sent") <= accepted.total(), one
