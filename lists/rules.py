from collections.abc import Mapping


def is_subscribed(categories: Mapping[str, bool], category: str, *, default_opt_in: bool) -> bool:
    """A person is in until they say no; for what must be joined, they are out until they say yes."""
    return categories.get(category) is not False if default_opt_in else categories.get(category) is True
