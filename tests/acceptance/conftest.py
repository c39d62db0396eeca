import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from product import Product, Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def product(engine_urls: dict[str, str], sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product on a database of its own: web, workers and beat as real processes."""
    with Product(engine_urls, sink, tmp_path_factory.mktemp("product")) as running:
        yield running
