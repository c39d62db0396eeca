from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from lists.definitions import default_opt_in_of
from lists.rules import is_subscribed

TRANSACTIONAL = "transactional"


class Block(StrEnum):
    """Why a person must not be mailed; the words are those of the send ledger."""

    DELETED = "contact_deleted"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    PAUSED = "paused"
    CATEGORY = "category_opted_out"


@dataclass(frozen=True, slots=True)
class Consent:
    """All that decides whether a person may be mailed."""

    contact_id: UUID
    email: str | None
    deleted: bool = False
    suppressed: bool = False
    unsubscribed_all: bool = False
    paused_until: datetime | None = None
    categories: Mapping[str, bool] = field(default_factory=dict)

    def allows(self, category: str) -> bool:
        """Tell what the person chose for ``category`` alone, all mail aside."""
        return is_subscribed(self.categories, category, default_opt_in=default_opt_in_of(category))

    def is_paused(self, now: datetime) -> bool:
        """Tell whether the person asked for silence that still lasts."""
        return self.paused_until is not None and now < self.paused_until


def gate(consent: Consent, *, category: str, now: datetime) -> Block | None:
    """Nobody is mailed who is gone, unreachable or said no; a pause holds back all but transactional mail.

    The order is part of the contract: the first block that applies is the one that is told.
    """
    # A pause asks for silence; it must not swallow the password reset the person is waiting for.
    paused = category != TRANSACTIONAL and consent.is_paused(now)
    blocks = {
        Block.DELETED: consent.deleted,
        Block.NO_ADDRESS: not consent.email,
        Block.SUPPRESSED: consent.suppressed,
        Block.UNSUBSCRIBED: consent.unsubscribed_all,
        Block.PAUSED: paused,
        Block.CATEGORY: not consent.allows(category),
    }
    return next((block for block, applies in blocks.items() if applies), None)


def choices_made(consent: Consent, *, shown: Mapping[str, bool], wanted: AbstractSet[str]) -> dict[str, bool]:
    """Only what a person switched is a choice; opt-outs come first.

    Who comes back from having left all mail gets what they ticked and nothing else that stood before their eyes.
    """
    switched = {category: category in wanted for category, was in shown.items() if (category in wanted) != was}
    returns = consent.unsubscribed_all and any(switched.values())
    left = {category: False for category in shown if returns and category not in wanted and consent.allows(category)}
    return dict(sorted((left | switched).items(), key=lambda choice: choice[1]))
