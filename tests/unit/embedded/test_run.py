"""The parts of ./run that need neither pip nor network."""

import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).resolve().parents[3] / "run"


@pytest.fixture
def run(tmp_path, monkeypatch) -> ModuleType:
    """./run as a module which stands in an empty repository."""
    loader = SourceFileLoader("run_script", str(RUN))
    module = module_from_spec(spec_from_loader("run_script", loader))
    loader.exec_module(module)
    for name in ("requirements.txt", "requirements-engines.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / "installed.json")
    return module


def install_everything(run: ModuleType) -> None:
    run.PYTHON.touch()
    run.STAMP.write_text(json.dumps({name: run.fingerprint(name) for name in run.SETS}))


def test_everything_is_outdated_before_the_first_installation(run) -> None:
    assert run.outdated(("runtime", "engines")) == ["runtime", "engines"]


def test_nothing_is_outdated_after_it(run) -> None:
    install_everything(run)
    assert run.outdated(tuple(run.SETS)) == []


def test_a_changed_file_makes_its_own_set_outdated(run, tmp_path) -> None:
    install_everything(run)
    (tmp_path / "requirements-dev.txt").write_text("pytest==1\n")
    assert run.outdated(tuple(run.SETS)) == ["development"]


def test_a_lost_interpreter_makes_everything_outdated(run) -> None:
    install_everything(run)
    run.PYTHON.unlink()
    assert run.outdated(tuple(run.SETS)) == list(run.SETS)


def test_a_damaged_stamp_counts_as_none(run) -> None:
    install_everything(run)
    run.STAMP.write_text("{")
    assert run.outdated(("runtime",)) == ["runtime"]


def test_packages_are_counted_without_comments_and_hashes(run, tmp_path) -> None:
    file = tmp_path / "some.txt"
    file.write_text("# a==1 is not meant\na==1\nb==2 \\\n    --hash=sha256:00\n-r requirements.txt\n")
    assert run.count_packages(file) == 2


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_help_lists_every_command(run, capsys, arguments) -> None:
    assert run.main(arguments) == 0
    output = capsys.readouterr().out
    assert all(f"\n  {name} " in output for name in ("up", "demo", "test", "check", "bench", "manage"))


def test_an_unknown_command_is_answered_with_the_known_ones(run, capsys) -> None:
    assert run.main(["upp"]) == 2
    assert "does not know `upp`" in capsys.readouterr().err
