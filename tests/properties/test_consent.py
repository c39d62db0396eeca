"""Whatever happens in whatever order, nobody is mailed what they, or whoever they are one with, have refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.actions import delete_contact, identify, merge_contacts, undo_merge
from contacts.rules import keys_of
from preferences.actions import change_consent
from preferences.models import ConsentChange
from preferences.queries import consent_of

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Door = ConsentChange.Door
Refused = set[str | None]

numbers = count()
places = st.integers(0, 2)
parts = st.sampled_from([None, "news"])
doors = st.sampled_from([Door.PAGE, Door.API])
choices = st.tuples(st.just("choose"), places, parts, st.sampled_from(["join", "leave"]), doors)
merges = st.tuples(st.just("merge"), places, places)
deletions = st.tuples(st.just("delete"), places)

pytestmark = pytest.mark.django_db


@dataclass
class Model:
    """Consent as a person would explain it: who has which addresses, and who refused what."""

    owner: dict[int, int] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)
    stones: dict[int, Refused] = field(default_factory=lambda: {place: set() for place in range(3)})

    def who(self, place: int) -> int:
        """Find who has the address; somebody new has refused nothing themself."""
        if place not in self.owner:
            self.owner[place] = next(numbers)
            self.refused[self.owner[place]] = set()
        return self.owner[place]

    def addresses(self, who: int) -> list[int]:
        return [place for place, owner in self.owner.items() if owner == who]

    def forbidden(self, place: int) -> Refused:
        who = self.who(place)
        return self.refused[who].union(*(self.stones[place] for place in self.addresses(who)))

    def choose(self, place: int, part: str | None, turn: str, door: Door) -> None:
        who = self.who(place)
        if turn == "leave":
            self.refused[who].add(part)
            return
        lifted = {part, None} if door in {Door.PAGE, Door.ONE_CLICK} else {part}
        self.refused[who] -= lifted
        for address in self.addresses(who):
            self.stones[address] -= lifted

    def merge(self, place: int, other: int) -> None:
        survivor, absorbed = self.who(place), self.who(other)
        if survivor != absorbed:
            self.refused[survivor] |= self.refused[absorbed]
            self.owner = {at: survivor if who == absorbed else who for at, who in self.owner.items()}

    def delete(self, place: int) -> None:
        who, forbidden = self.who(place), self.forbidden(place)
        for address in self.addresses(who):
            self.stones[address] |= forbidden
            del self.owner[address]


class Product:
    """The same verbs, done by the engine, for three addresses that nobody had before."""

    def __init__(self) -> None:
        self.world = next(numbers)
        self.now = START

    def who(self, place: int) -> UUID:
        keys = keys_of(email=f"p{place}-{self.world}@example.com")
        return identify(keys=keys, now=self.tick()).contact_id

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def choose(self, place: int, part: str | None, turn: str, door: Door) -> None:
        who, now = self.who(place), self.tick()
        change_consent(contact_id=who, category=part, subscribed=turn == "join", door=door, now=now)

    def merge(self, place: int, other: int) -> None:
        survivor, absorbed = self.who(place), self.who(other)
        if survivor != absorbed:
            merge_contacts(survivor_id=survivor, absorbed_id=absorbed, actor="test", now=self.tick())

    def delete(self, place: int) -> None:
        assert delete_contact(contact_id=self.who(place), now=self.tick())

    def forbidden(self, place: int) -> Refused:
        return refused_by(self.who(place))


def refused_by(contact_id: UUID) -> Refused:
    consent = consent_of([contact_id])[contact_id]
    named: Refused = {name for name, subscribed in consent.categories.items() if not subscribed}
    return named | {None} if consent.unsubscribed_all else named


def examples(number: int) -> Callable[..., object]:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=number, deadline=None, suppress_health_check=checks)


@examples(120)
@given(st.lists(st.one_of(choices, choices, merges, deletions), min_size=4, max_size=9))
def test_any_order_of_choices_merges_and_deletions_ends_with_the_strictest_consent(story):
    model, product = Model(), Product()

    for verb, *arguments in story:
        getattr(model, verb)(*arguments)
        getattr(product, verb)(*arguments)

    assert [product.forbidden(place) for place in range(3)] == [model.forbidden(place) for place in range(3)]


@examples(40)
@given(st.lists(choices, max_size=5), st.lists(choices, max_size=5))
def test_taking_a_merge_back_allows_nobody_what_was_refused(before, since):
    product = Product()
    for _, *arguments in before:
        product.choose(*arguments)
    survivor, absorbed = product.who(0), product.who(1)
    former = refused_by(absorbed)
    journal = merge_contacts(survivor_id=survivor, absorbed_id=absorbed, actor="test", now=product.tick())
    folded = refused_by(survivor)
    for _, *arguments in since:
        product.choose(*arguments)
    together = refused_by(survivor)

    undo_merge(merge_id=journal.id, actor="test", now=product.tick())

    assert refused_by(survivor) == together
    assert refused_by(absorbed) >= former | (together - folded)
