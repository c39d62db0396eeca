from django.conf import settings

from lists.definitions import EmailList, default_opt_in_of, registry

__all__ = ["default_opt_in_of", "shown_lists"]


def shown_lists() -> list[EmailList]:
    """Return the lists that people may see, in the order of declaration.

    ENABLED_LISTS hides a list and never changes its polarity: hiding a list that must be joined does not open it.
    """
    return [item for item in registry if item.enabled and _is_wanted(item.id)]


def _is_wanted(list_id: str) -> bool:
    return settings.ENABLED_LISTS is None or list_id in settings.ENABLED_LISTS
