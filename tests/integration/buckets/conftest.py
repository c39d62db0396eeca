"""Buckets of a test's own, and people whose events lie where a test puts them."""

from collections.abc import Iterator

import pytest

from buckets.definitions import registry


@pytest.fixture(autouse=True)
def _nothing_declared() -> Iterator[None]:
    with registry.scratch():
        registry._items.clear()
        yield
