from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.rules import keys_of
from events.actions import ingest_events
from events.definitions import Batch, RecordedEvent
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id
from preferences.consumers import change_lists
from preferences.models import ConsentChange, Preference
from preferences.queries import consent_of
from tests.integration.preferences.conftest import NOW
from tests.people import ada as ada_known
from tests.people import ben, dora

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(settings):
    settings.HOGSEND_EVENT_CONSUMERS = ["preferences.consumers.change_lists"]


def event(user_id: str | None = None, *, lists: dict[str, bool] | None = None, **more) -> Submission:
    keys = keys_of(user_id=user_id, email=more.pop("email", None))
    return Submission(id=new_id(), name="n", keys=keys, lists=lists, **more)


def categories(contact) -> dict[str, bool]:
    return Preference.objects.get(contact=contact).categories


def test_lists_in_an_event_are_changed_kept_and_told():
    person = ada_known()

    [answer] = ingest_events([event("ada", lists={"news": False, "beta": True})], now=NOW)

    assert answer.lists_error is None
    assert categories(person) == {"news": False, "beta": True}
    assert set(ConsentChange.objects.values_list("category", "subscribed", "door")) == {
        ("news", False, "api"),
        ("beta", True, "api"),
    }
    told = Event.objects.exclude(name="n").order_by("seq")
    assert [(one.name, one.hop, one.properties["category"]) for one in told] == [
        ("contact.unsubscribed", 1, "news"),
        ("contact.subscribed", 1, "beta"),
    ]


def test_a_new_person_joins_with_their_first_event():
    [answer] = ingest_events([event("eve", email="eve@example.com", lists={"beta": True})], now=NOW)

    assert consent_of([answer.contact_id])[answer.contact_id].categories == {"beta": True}


def test_what_is_unknown_or_hidden_is_answered_and_the_rest_is_done():
    person = ada_known()

    [answer] = ingest_events([event("ada", lists={"newz": True, "secret": True, "beta": True})], now=NOW)

    assert answer.stored is True
    assert answer.lists_error == (
        "There is no list 'newz'. Did you mean 'news'? "
        "The list 'secret' is switched off, so nobody can join it; enable it first."
    )
    assert categories(person) == {"beta": True}


def test_somebody_without_an_address_is_stored_and_told_so():
    [answer] = ingest_events([event("eve", lists={"news": True})], now=NOW)

    assert answer.stored is True
    assert "email" in (answer.lists_error or "")
    assert not Preference.objects.exists()


def test_the_events_of_a_batch_are_heard_in_their_order():
    person, other = ada_known(), ben()

    ingest_events(
        [
            event("ada", lists={"beta": True}),
            event(email="ben@example.com", lists={"beta": True}),
            event("ada", lists={"beta": False, "news": False}),
        ],
        now=NOW,
    )

    assert categories(person) == {"beta": False, "news": False}
    assert categories(other) == {"beta": True}
    assert list(ConsentChange.objects.filter(contact=person).order_by("id").values_list("category", "subscribed")) == [
        ("beta", True),
        ("beta", False),
        ("news", False),
    ]


def test_a_repeated_event_changes_no_list():
    person = ada_known()
    first = {"idempotency_key": "k", "fingerprint": b"one"}
    ingest_events([event("ada", lists={"beta": True}, **first)], now=NOW)

    ingest_events([event("ada", lists={"beta": False}, **first)], now=NOW + timedelta(hours=1))

    assert categories(person) == {"beta": True}


def test_a_choice_made_before_is_not_told_again():
    ada_known()

    for _ in range(2):
        ingest_events([event("ada", lists={"beta": True})], now=NOW)

    assert ConsentChange.objects.count() == 1
    assert Event.objects.filter(name="contact.subscribed").count() == 1


def test_an_event_brings_nobody_back_to_all_mail():
    person = dora()

    ingest_events([event("dora", lists={"news": True})], now=NOW)

    assert consent_of([person.id])[person.id].unsubscribed_all is True


def test_events_without_lists_cost_nothing():
    person = ada_known()
    batch = Batch([RecordedEvent(new_id(), person.id, "n", {}, NOW)], NOW)

    with CaptureQueriesContext(connection) as queries:
        change_lists(batch)

    assert not queries.captured_queries


def test_the_number_of_statements_does_not_grow_with_the_batch():
    def statements(count: int, name: str) -> int:
        many = [event(f"{name}-{n}", email=f"{name}-{n}@example.com", lists={"beta": True}) for n in range(count)]
        with CaptureQueriesContext(connection) as queries:
            ingest_events(many, now=NOW)
        return len(queries)

    assert statements(2, "few") == statements(40, "many")
