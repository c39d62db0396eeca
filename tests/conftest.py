from pathlib import Path

import pytest

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
