from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hogsend.embedded.engines import erase_engines
from hogsend.embedded.sockets import private_directory
from tests.integration.embedded.stacks import StackProcess, eventually


@pytest.fixture
def empty_state_dir(tmp_path: Path) -> Iterator[Path]:
    """A private directory in which nothing has run yet."""
    yield from _state_dir(tmp_path / "state")


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A private directory for all tests that do not mind what ran in it before: making a cluster takes a second."""
    yield from _state_dir(tmp_path_factory.mktemp("shared") / "state")


def _state_dir(directory: Path) -> Iterator[Path]:
    private_directory(directory)
    yield directory
    erase_engines(directory)


@pytest.fixture
def start_stack(state_dir: Path) -> Iterator[Callable[..., StackProcess]]:
    """Start supervisors on ``state_dir``; whatever a test leaves running is killed."""
    started: list[StackProcess] = []

    def start(*scenario: str, **environ: str) -> StackProcess:
        started.append(StackProcess(state_dir, *scenario, **environ))
        return started[-1]

    yield start
    for stack in started:
        stack.process.kill()
        stack.process.wait()
        eventually(lambda stack=stack: not stack.left())
