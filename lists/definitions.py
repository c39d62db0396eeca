"""What an adopter declares about an e-mail list."""

import re
from dataclasses import KW_ONLY, dataclass

from hogsend.lib.registry import Registry, declared_at

ID = re.compile(r"[a-z0-9_-]+", re.IGNORECASE)
RESERVED = frozenset({"transactional", "journey"})

registry: Registry["EmailList"] = Registry("list")


@dataclass(frozen=True)
class EmailList:
    """A list people can be on. Declaring it registers it; there is no table, membership is a choice of the person.

    Args:
        id: letters, digits, ``_`` and ``-``; stands in the API, in tokens and in people's stored choices.
        name: what people read on the preference page.
        description: one sentence about what they get.
        default_opt_in: True: everybody is on it until they leave. False: nobody is until they join.
        enabled: False hides the list from the API and the preference page; its polarity stays in force.

    Raises:
        ValueError: the id has other characters, or is one of ours (``transactional``, ``journey``).
        DuplicateIdError: another list carries the id.
    """

    id: str
    _: KW_ONLY
    name: str
    description: str = ""
    default_opt_in: bool
    enabled: bool = True

    def __post_init__(self) -> None:
        if not ID.fullmatch(self.id):
            raise ValueError(f"The list id {self.id!r} may hold letters, digits, '_' and '-' only; rename the list.")
        if self.id.lower() in RESERVED:
            raise ValueError(f"The list id {self.id!r} is reserved for the engine; choose another id.")
        if not self.name.strip():
            raise ValueError(f"The list {self.id!r} needs a name that people can read on the preference page.")
        registry.add(self.id, self, declared_at(depth=2))


def default_opt_in_of(category: str) -> bool:
    """Tell whether people get ``category`` before they ever chose: true for all but lists that must be joined."""
    return registry.get(category).default_opt_in if category in registry else True
