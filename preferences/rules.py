from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from lists.definitions import default_opt_in_of
from lists.rules import is_subscribed

TRANSACTIONAL = "transactional"
# By these doors the person comes in person.
OWN_DOORS = frozenset({"one-click", "page"})

Part = str | None  # a category, or None for all mail


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


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose for a category, or for all mail when there is none, and by which door they came."""

    contact_id: UUID
    category: Part
    subscribed: bool
    door: str
    send_id: UUID | None = None

    @property
    def off(self) -> bool | None:
        """What the opt-out from all mail becomes; None if it stays."""
        if self.category is None:
            return not self.subscribed
        # Coming back to one category in person is coming back; nobody else may lift an opt-out in passing.
        return False if self.subscribed and self.door in OWN_DOORS else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person chose, and what was refused for their addresses by people who are gone (``barred``)."""

    unsubscribed_all: bool = False
    categories: Mapping[str, bool] = field(default_factory=dict)
    paused_until: datetime | None = None
    barred_all: bool = False
    barred: frozenset[str] = frozenset()

    @property
    def refused(self) -> frozenset[Part]:
        """The parts that the person themself said no to."""
        named = frozenset(name for name, subscribed in self.categories.items() if not subscribed)
        return named | {None} if self.unsubscribed_all else named


def after(standing: Standing, choice: Choice) -> tuple[Standing, list[Part]]:
    """A choice always becomes the person's own; what it says yes to is no longer barred.

    Returns where they stand then, and the parts that the choice changed: none if it was theirs already.
    """
    changed: list[Part] = []
    off, name = choice.off, choice.category
    if off is not None:
        if off != standing.unsubscribed_all or (standing.barred_all and not off):
            changed.append(None)
        standing = replace(standing, unsubscribed_all=off, barred_all=standing.barred_all and off)
    if name is not None:
        barred = standing.barred - {name} if choice.subscribed else standing.barred
        if standing.categories.get(name) is not choice.subscribed or barred != standing.barred:
            changed.append(name)
        categories = {**standing.categories, name: choice.subscribed}
        standing = replace(standing, categories=categories, barred=barred)
    return standing, changed


def fold(survivor: Standing, absorbed: Standing) -> Standing:
    """Two people who are one have refused what either of them refused, and rest until the later pause ends."""
    categories = {**survivor.categories, **absorbed.categories}
    refused = survivor.refused | absorbed.refused
    return replace(
        survivor,
        unsubscribed_all=None in refused,
        categories={name: subscribed and name not in refused for name, subscribed in categories.items()},
        paused_until=_later(survivor.paused_until, absorbed.paused_until),
    )


def part_again(*, former: Standing, folded: Standing, now: Standing, left_since: AbstractSet[Part]) -> Standing:
    """Who is two again has their former choices, and has refused all that was refused meanwhile and still is.

    ``folded`` and ``now`` are the survivor just after the merge and today, ``left_since`` what was left in between.
    """
    since = now.refused & ((now.refused - folded.refused) | left_since)
    pause = now.paused_until if now.paused_until != folded.paused_until else None
    return fold(former, Standing(None in since, {name: False for name in since if name is not None}, pause))


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


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)
