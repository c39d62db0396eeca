from collections.abc import Iterator

import pytest

from hogsend.api.keys import create_key
from lists.definitions import EmailList, registry


@pytest.fixture(autouse=True)
def _lists(settings) -> Iterator[None]:
    settings.ENABLED_LISTS = frozenset({"test-news", "test-beta", "test-old"})
    with registry.scratch():
        EmailList("test-news", name="News", description="Once a month.", default_opt_in=True)
        EmailList("test-beta", name="Beta", default_opt_in=False)
        EmailList("test-old", name="Old", default_opt_in=False, enabled=False)
        EmailList("test-hidden", name="Hidden", default_opt_in=False)
        yield


@pytest.fixture
def get(client, db):
    def send(*scopes: str):
        key = create_key(name="shop", scopes=scopes)[1]
        return client.get("/v1/lists", headers={"Authorization": f"Bearer {key}"})

    return send


def test_the_catalogue_holds_the_lists_that_are_shown_in_the_order_of_declaration(get):
    answer = get("ingest")

    assert answer.status_code == 200
    assert answer.json() == {
        "lists": [
            {"id": "test-news", "name": "News", "defaultOptIn": True, "description": "Once a month."},
            {"id": "test-beta", "name": "Beta", "defaultOptIn": False},
        ]
    }


def test_the_catalogue_needs_the_scope_to_ingest(get):
    assert get("read").status_code == 403


def test_a_catalogue_of_nothing_is_empty(get, settings):
    settings.ENABLED_LISTS = frozenset()

    assert get("full-admin").json() == {"lists": []}
