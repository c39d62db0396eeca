from django.conf import settings

from lists.definitions import EmailList, default_opt_in_of, registry

__all__ = ["default_opt_in_of", "refusal_of", "shown_lists"]


def shown_lists() -> list[EmailList]:
    """Return the lists that people may see, in the order of declaration.

    ENABLED_LISTS hides a list and never changes its polarity: hiding a list that must be joined does not open it.
    """
    return [item for item in registry if _is_shown(item)]


def refusal_of(list_id: str, *, subscribed: bool) -> str | None:
    """Say why nobody can join (or leave) this list; None if they can. A list that is hidden can still be left."""
    if list_id not in registry:
        return registry.unknown(list_id)
    if subscribed and not _is_shown(registry.get(list_id)):
        return f"The list {list_id!r} is switched off, so nobody can join it; enable it first."
    return None


def _is_shown(item: EmailList) -> bool:
    return item.enabled and _is_wanted(item.id)


def _is_wanted(list_id: str) -> bool:
    return settings.ENABLED_LISTS is None or list_id in settings.ENABLED_LISTS
