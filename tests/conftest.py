from pathlib import Path

import pytest
from django.conf import settings

UNIT = Path(__file__).parent / "unit"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A unit test that asks for the database stands in the wrong folder."""
    strangers = [
        item.nodeid
        for item in items
        if UNIT in item.path.parents
        and (
            item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
        )
    ]
    if strangers:
        raise pytest.UsageError(f"Tests under tests/unit must not touch the database: {', '.join(strangers)}")


@pytest.fixture(autouse=True)
def _strangers_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test brings keys of its own from one address, more of them in a minute than a stranger may."""
    limits = {**settings.HOGSEND_RATE_LIMITS, "unauthenticated": 1_000_000}
    monkeypatch.setattr(settings, "HOGSEND_RATE_LIMITS", limits)
