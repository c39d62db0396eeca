"""./run on a repository without requirements: a real .venv, no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[3] / "run"
SUPERVISOR = "import sys; print('supervisor', sys.prefix, sys.argv[1:])"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of ./run beside empty requirement files and a supervisor that only says its name."""
    shutil.copy2(RUN, tmp_path / "run")
    for name in ("requirements.txt", "requirements-engines.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("# nothing\n")
    (tmp_path / "hogsend" / "embedded").mkdir(parents=True)
    (tmp_path / "hogsend" / "embedded" / "supervisor.py").write_text(SUPERVISOR)
    return tmp_path


def run(repository: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [repository / "run", *arguments],
        env={"PATH": _path_without_environments(), "HOME": str(repository), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _path_without_environments() -> str:
    return os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not part.startswith(sys.prefix))


def test_the_first_command_installs_and_the_next_is_silent_until_a_file_changes(repository) -> None:
    first = run(repository, "manage", "check")
    assert first.returncode == 0, first.stderr
    assert "Installing into .venv: runtime, engines … installed 0 packages in" in first.stderr
    assert first.stdout == f"supervisor {repository / '.venv'} ['manage', 'check']\n"

    second = run(repository, "up", "--verbose")
    assert second.stderr == ""
    assert second.stdout == f"supervisor {repository / '.venv'} ['up', '--verbose']\n"

    (repository / "requirements.txt").write_text("# something else\n")
    assert "Installing into .venv: runtime … installed" in run(repository, "up").stderr


def test_a_failed_installation_shows_why_and_does_not_count(repository) -> None:
    (repository / "requirements.txt").write_text("./no-such-package\n")
    failed = run(repository, "up", PIP_NO_INDEX="1")
    assert failed.returncode == 1
    assert "no-such-package" in failed.stderr
    assert "pip could not install the packages" in failed.stderr
    assert not (repository / ".venv" / "installed.json").exists()


def test_a_python_without_pip_is_answered_with_a_sentence(repository) -> None:
    broken = repository / "broken" / "pip"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit('/usr/bin/python3: No module named pip')")
    answer = run(repository, "up", PYTHONPATH=str(broken.parent))
    assert answer.returncode == 1
    assert "has no pip" in answer.stderr


def test_help_installs_nothing(repository) -> None:
    assert "Usage: ./run COMMAND" in run(repository).stdout
    assert not (repository / ".venv").exists()
