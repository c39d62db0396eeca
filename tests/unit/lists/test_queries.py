from collections.abc import Iterator

import pytest

from lists.definitions import EmailList, registry
from lists.queries import default_opt_in_of, refusal_of, shown_lists


@pytest.fixture(autouse=True)
def _lists() -> Iterator[None]:
    with registry.scratch():
        EmailList("test-news", name="News", default_opt_in=True)
        EmailList("test-beta", name="Beta", default_opt_in=False)
        EmailList("test-old", name="Old", default_opt_in=False, enabled=False)
        yield


def shown() -> list[str]:
    return [item.id for item in shown_lists() if item.id.startswith("test-")]


def test_enabled_lists_are_shown_in_the_order_of_declaration(settings):
    settings.ENABLED_LISTS = None

    assert shown() == ["test-news", "test-beta"]


def test_the_filter_hides_a_list(settings):
    settings.ENABLED_LISTS = frozenset({"test-beta", "test-old", "unknown"})

    assert shown() == ["test-beta"]


def test_hiding_a_list_that_must_be_joined_does_not_open_it(settings):
    settings.ENABLED_LISTS = frozenset()

    assert default_opt_in_of("test-beta") is False


def test_a_list_that_is_shown_can_be_joined_and_left(settings):
    settings.ENABLED_LISTS = None

    assert [refusal_of("test-news", subscribed=subscribed) for subscribed in (True, False)] == [None, None]


def test_an_unknown_list_is_refused_with_the_nearest_name():
    assert refusal_of("test-new", subscribed=False) == "There is no list 'test-new'. Did you mean 'test-news'?"


@pytest.mark.parametrize("list_id", ["test-old", "test-news"])
def test_a_hidden_list_can_only_be_left(settings, list_id):
    settings.ENABLED_LISTS = frozenset({"test-old"})

    assert "switched off" in (refusal_of(list_id, subscribed=True) or "")
    assert refusal_of(list_id, subscribed=False) is None
