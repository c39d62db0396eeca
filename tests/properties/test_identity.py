"""Whatever comes in whatever order: the same people, every key with one of them, and no opt-out lost."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.actions import MergeError, delete_contact, identify, merge_contacts
from contacts.models import Contact, ContactKey
from contacts.queries import contact_by_id, contact_by_key
from contacts.rules import Keys
from events.models import Event
from events.submission import Answer, Submission
from events.submit import run
from hogsend.lib.ids import new_id
from preferences.actions import change_consent
from preferences.models import ConsentChange
from preferences.queries import consent_of

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = 3
SETTINGS = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

Person = st.integers(0, PEOPLE - 1)
Given = st.tuples(st.booleans(), st.booleans(), st.booleans()).filter(any)


@dataclass(frozen=True)
class Come:
    """Somebody comes under some of their keys: by an event, or by a contact write."""

    person: int
    given: tuple[bool, bool, bool]
    by_event: bool

    def keys(self) -> Keys:
        names = (f"u{self.person}", f"p{self.person}@example.com", f"v{self.person}")
        return Keys(*(name if here else None for name, here in zip(names, self.given, strict=True)))

    def play(self) -> UUID:
        if not self.by_event:
            return identify(keys=self.keys(), now=NOW).contact_id
        (answer,) = run([Submission(id=new_id(), name="n", keys=self.keys())])
        assert isinstance(answer, Answer)
        assert answer.contact_id is not None
        return answer.contact_id


@dataclass(frozen=True)
class Leave:
    """Somebody comes and leaves a category, or all mail."""

    come: Come
    category: str | None

    def play(self) -> UUID:
        contact_id = self.come.play()
        door = ConsentChange.Door.PAGE
        change_consent(contact_id=contact_id, category=self.category, subscribed=False, door=door, now=NOW)
        return contact_id


Coming = st.builds(Come, Person, Given, st.booleans())
Leaving = st.builds(Leave, Coming, st.sampled_from([None, "news", "tips"]))
Stories = st.lists(Coming | Leaving, min_size=2, max_size=9)


def outcome() -> set[tuple[frozenset[tuple[str, str]], bool, tuple[str, ...]]]:
    """Who there is: by which keys, out of all mail or not, out of which categories."""
    people = set()
    for contact in Contact.objects.filter(deleted_at=None):
        consent = consent_of([contact.pk])[contact.pk]
        keys = frozenset(ContactKey.objects.filter(contact=contact).values_list("kind", "value"))
        left = tuple(name for name in ("news", "tips") if not consent.allows(name))
        people.add((keys, consent.unsubscribed_all, left))
    return people


def played(story: list[Come | Leave]) -> set[tuple[frozenset[tuple[str, str]], bool, tuple[str, ...]]]:
    """Play a story on an empty database and say who there is then."""
    forget_everybody()
    for act in story:
        act.play()
    return outcome()


def forget_everybody() -> None:
    Event.objects.all().delete()
    Contact.objects.all().delete()


@SETTINGS
@given(story=Stories, data=st.data())
def test_any_order_makes_the_same_people_with_the_strictest_consent(story, data):
    other = data.draw(st.permutations(story))
    assert played(story) == played(other)


@SETTINGS
@given(story=Stories)
def test_who_is_one_person_is_found_by_joining_what_came_together(story):
    """The model: keys that came together are one person, and whoever left something has left it."""
    comes = [act.come if isinstance(act, Leave) else act for act in story]
    groups: list[set[tuple[str, str]]] = []
    for keys in (set(come.keys().pairs()) for come in comes):
        touching = [group for group in groups if group & keys]
        groups = [group for group in groups if not group & keys] + [keys.union(*touching)]
    expected = set()
    for group in groups:
        left = {act.category for act in story if isinstance(act, Leave) and set(act.come.keys().pairs()) & group}
        expected.add((frozenset(group), None in left, tuple(sorted(left - {None}))))

    assert played(story) == expected


Anybody = st.builds(
    Keys,
    external=st.none() | st.sampled_from(["u0", "u1"]),
    email=st.none() | st.sampled_from(["p0@example.com", "p1@example.com"]),
    anonymous=st.none() | st.sampled_from(["v0", "v1"]),
).filter(bool)
Wild = st.lists(
    st.tuples(st.sampled_from(["come", "write", "merge", "delete"]), Anybody, Anybody), min_size=2, max_size=12
)


@SETTINGS
@given(story=Wild)
def test_whatever_is_mixed_up_every_event_and_every_key_stays_with_somebody(story):
    forget_everybody()
    stored: dict[UUID, UUID] = {}
    for verb, keys, others in story:
        if verb == "come":
            (answer,) = run([Submission(id=(event_id := new_id()), name="n", keys=keys)])
            stored[event_id] = answer.contact_id
        elif verb == "write":
            identify(keys=keys, now=NOW)
        elif verb == "merge":
            merge_by_hand(keys, others)
        elif (found := first_of(keys)) is not None:
            delete_contact(contact_id=found, now=NOW)

    living = set(Contact.objects.filter(deleted_at=None).values_list("pk", flat=True))
    assert set(ContactKey.objects.values_list("contact_id", flat=True)) <= living
    for contact in Contact.objects.filter(pk__in=living):
        for kind, value in (
            ("external", contact.external_id),
            ("email", contact.email),
            ("anonymous", contact.anonymous_id),
        ):
            assert value is None or contact_by_key(kind=kind, value=value) == contact
    for event_id, contact_id in stored.items():
        alive = contact_by_id(contact_id)
        owner = Event.objects.get(pk=event_id).contact
        assert alive is None or owner == alive


def merge_by_hand(keys: Keys, others: Keys) -> None:
    survivor, absorbed = first_of(keys), first_of(others)
    if survivor and absorbed:
        try:
            merge_contacts(survivor_id=survivor, absorbed_id=absorbed, actor="staff", now=NOW)
        except MergeError:
            assert survivor == absorbed


def first_of(keys: Keys) -> UUID | None:
    found = (contact_by_key(kind=kind, value=value) for kind, value in keys.pairs())
    return next((contact.pk for contact in found if contact), None)
