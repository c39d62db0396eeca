"""The short way of events records what the long way records, whatever comes in whatever company."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contacts.actions import delete_contact
from contacts.models import Contact, ContactKey, KeyConflict
from contacts.queries import contact_by_keys
from contacts.rules import Keys
from events import submit
from events.actions import ingest_quickly
from events.models import Event, IdempotencyKey
from events.submission import Submission
from hogsend.lib.ids import new_id

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

Anybody = st.builds(
    Keys,
    external=st.none() | st.sampled_from(["u0", "u1", "u2"]),
    email=st.none() | st.sampled_from(["p0@example.com", "p1@example.com"]),
    anonymous=st.none() | st.sampled_from(["v0", "v1"]),
).filter(bool)
Patches = st.none() | st.dictionaries(st.sampled_from(["plan", "age"]), st.none() | st.integers(0, 2), max_size=2)
Events = st.builds(
    lambda keys, patch, days, key: Submission(
        id=new_id(),
        name="page.viewed",
        keys=keys,
        patch=patch and {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in patch.items()},
        occurred_at=None if days is None else DAY - timedelta(days=days),
        idempotency_key=key,
        fingerprint=repr((keys, patch, days)).encode()[:16] if key else b"",
    ),
    Anybody,
    Patches,
    st.none() | st.integers(0, 9),
    st.none() | st.sampled_from(["a", "b", "c"]),
)
Stories = st.lists(st.lists(Events, min_size=1, max_size=5) | Anybody, min_size=1, max_size=6)


def comes(external: str | None, email: str | None, **patch: int) -> Submission:
    said = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in patch.items()}
    return Submission(id=new_id(), name="page.viewed", keys=Keys(external, email, None), patch=said)


ONE_PERSON_UNDER_TWO_KEYS = [
    [comes("u0", "p0@example.com")],
    [comes("u0", None, plan=1), comes(None, "p0@example.com", age=1)],
]


@SETTINGS
@example(story=ONE_PERSON_UNDER_TWO_KEYS)
@given(story=Stories)
def test_the_short_way_ends_where_the_long_way_ends(story):
    """A story is batches of events and people who are deleted."""
    assert played(story, quickly=True) == played(story, quickly=False)


def test_the_short_way_is_taken_for_people_as_they_mostly_come():
    """What is new, known, patched, repeated and seen before goes without a decision."""
    ada = Keys("ada", "ada@example.com", None)
    events = [
        Submission(id=new_id(), name="page.viewed", keys=ada, patch={"plan": msgspec.Raw(b'"pro"')}),
        Submission(id=new_id(), name="page.viewed", keys=ada, occurred_at=DAY, idempotency_key="k", fingerprint=b"1"),
        Submission(id=new_id(), name="page.viewed", keys=ada, occurred_at=DAY, idempotency_key="k", fingerprint=b"1"),
        Submission(id=new_id(), name="page.viewed", keys=Keys(None, None, "visit")),
    ]
    again = [replace(one, id=new_id()) for one in events]
    known = [replace(one, id=new_id(), keys=Keys("ada", None, "visit-2")) for one in events[:1]]
    told = [ingest_quickly(batch) for batch in (events, again, known)]

    assert [[one.stored for one in answers] for answers in told] == [
        [True, True, False, True],
        [True, False, False, True],
        [True],
    ]
    assert len({one.contact_id for answers in told for one in answers}) == 2
    person = Contact.objects.get(external_id="ada")
    assert (person.properties, person.first_seen_at, person.anonymous_id) == ({"plan": "pro"}, DAY, "visit-2")


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(Keys("ada", None, "visit"), id="two people who are one"),
        pytest.param(Keys("bob", "ada@example.com", None), id="a second user id"),
    ],
)
def test_what_has_to_be_decided_is_handed_back_and_leaves_nothing(keys):
    for known in (Keys("ada", "ada@example.com", None), Keys(None, None, "visit")):
        submit.run([Submission(id=new_id(), name="n", keys=known)])
    before = state()

    asked = Submission(id=new_id(), name="page.viewed", keys=keys, idempotency_key="k", fingerprint=b"1")
    assert ingest_quickly([asked]) is None
    assert state() == before


def played(story: list, *, quickly: bool) -> object:
    """Play a story on the same empty database and say what there is then."""
    with transaction.atomic(), only_the_long_way(quickly=quickly):
        answers = []
        for act in story:
            if isinstance(act, Keys):
                found = contact_by_keys(act)
                if found is not None:
                    delete_contact(contact_id=found.pk, now=DAY)
                continue
            batch = [replace(one, id=new_id()) for one in act]
            answers.append([(one.stored, one.reason) for one in submit.run(batch)])
        found = (answers, state())
        transaction.set_rollback(True)
    return found


def state() -> object:
    """Everything that is kept, with people named by their keys instead of by ids that are new each time."""
    names = {
        contact.pk: (
            tuple(sorted(ContactKey.objects.filter(contact=contact).values_list("kind", "value"))),
            contact.external_id,
            contact.email,
            contact.anonymous_id,
            contact.deleted_at is None,
        )
        for contact in Contact.objects.all()
    }
    people = sorted(
        (repr(names[contact.pk]), repr(contact.properties), seen(contact.first_seen_at), contact.merged_into_id is None)
        for contact in Contact.objects.all()
    )
    events = sorted(
        (repr(names[event.contact_id]), event.name, seen(event.occurred_at)) for event in Event.objects.all()
    )
    conflicts = sorted(
        (repr(names[one.contact_id]), repr(names[one.other_id]), one.kind, one.value, one.seen_count)
        for one in KeyConflict.objects.all()
    )
    claims = sorted(IdempotencyKey.objects.values_list("scope", "key", "fingerprint"))
    return people, events, conflicts, [(scope, key, bytes(print_)) for scope, key, print_ in claims]


def seen(moment: datetime) -> str:
    """Moments that a story has given are told apart; all others are now."""
    return moment.isoformat() if moment <= DAY else "now"


@contextmanager
def only_the_long_way(*, quickly: bool):
    original = submit.ingest_quickly
    if not quickly:
        submit.ingest_quickly = lambda _: None
    try:
        yield
    finally:
        submit.ingest_quickly = original
