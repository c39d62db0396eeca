"""What befell others: events that are lost, doubled, or that end in somebody else's journey."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from contacts.models import Contact
from events.definitions import Batch
from events.models import Event
from hogsend.authoring import days, journey, send_email
from journeys.definitions import registry as journeys
from journeys.models import EnrolmentSkip, JourneyRun, RunStatus, Wakeup
from tests.acceptance.data_plane import Api, delivered, everything_stored, wake, work

pytestmark = pytest.mark.django_db

HERE = "tests.acceptance.test_traps"


@pytest.fixture
def api(db) -> Api:
    return Api()


@pytest.fixture
def seen() -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Declare the one journey of these tests, of two mails with a wait between, and tell whom it saw."""
    told: list[tuple[str, str, dict[str, Any]]] = []
    with journeys.scratch():
        journeys._items.clear()

        @journey(id="two-mails", trigger="began", entry_limit="unlimited", exit_on=["stopped"])
        def two_mails(user, ctx):
            told.append((user.id, user.email, dict(user.properties)))
            send_email(user, "welcome")
            ctx.sleep(days(2), label="nap")
            send_email(user, "activation-nudge")

        yield told


def statuses() -> list[str]:
    """The states of all runs, sorted: within the transaction of a test all began at the same moment."""
    return sorted(JourneyRun.objects.values_list("status", flat=True))


def test_a_journey_can_be_ended_and_completed_by_the_same_person_any_number_of_times(api, seen):
    for _ in range(3):
        api.event("began", userId="ada", email="ada@example.com")
        work()
        assert [one["exited"] for one in api.event("stopped", userId="ada")["exits"]] == [True]
    for _ in range(2):
        api.event("began", userId="ada")
        work()
        wake()

    assert statuses() == ["completed"] * 2 + ["exited"] * 3


def test_who_waits_in_a_journey_does_not_enter_it_a_second_time(api, seen):
    api.event("began", userId="ada", email="ada@example.com")
    work()

    api.event("began", userId="ada")

    assert statuses() == [RunStatus.WAITING]
    assert EnrolmentSkip.objects.get().reason == "already_active"


def test_a_journey_is_told_the_persons_own_address_and_id_and_the_scalar_properties_of_the_event(api, seen):
    api.put(userId="ada", email=" Ada@Example.COM")

    api.event("began", userId="ada", eventProperties={"plan": "pro", "n": 2, "on": True, "no": None, "deep": {"a": 1}})
    work()

    assert seen == [("ada", "ada@example.com", {"plan": "pro", "n": 2, "on": True, "no": None})]
    assert delivered() == ["ada@example.com"]


def test_a_person_without_a_user_id_goes_through_a_journey_and_stays_one_person_without_one(api, seen):
    visitor = api.event("began", anonymousId="visit-1")["contactId"]
    address = api.event("began", email="ben@example.com")["contactId"]
    work()
    wake()

    assert statuses() == ["completed", "completed"]
    assert {str(one.pk): one.external_id for one in Contact.objects.all()} == {visitor: None, address: None}
    told = Event.objects.filter(name="journey:completed").values_list("contact", flat=True)
    assert {str(contact) for contact in told} == {visitor, address}
    assert delivered() == ["ben@example.com"] * 2


BREAKS = [True]


def broken(batch: Batch) -> None:
    """A consumer behind all others, with a fault or without its database."""
    if BREAKS[0]:
        raise RuntimeError("a fault") if batch.events[0].properties.get("fault") else OperationalError("away")


@pytest.mark.parametrize("fault", [True, False])
def test_an_event_that_could_not_be_passed_on_is_not_stored_and_its_key_is_free(api, seen, settings, fault):
    settings.HOGSEND_EVENT_CONSUMERS = [*settings.HOGSEND_EVENT_CONSUMERS, f"{HERE}.broken"]
    body = {"name": "began", "userId": "ada", "email": "ada@example.com", "eventProperties": {"fault": fault}}
    BREAKS[0] = True
    status, _ = api.call("POST", "/v1/events", body, Idempotency_Key="k")
    left = (Event.objects.count(), Contact.objects.count(), JourneyRun.objects.count())
    BREAKS[0] = False

    again = api.call("POST", "/v1/events", body, Idempotency_Key="k")

    assert (status, left) == (500 if fault else 503, (0, 0, 0))
    assert (again[0], again[1]["stored"], statuses()) == (202, True, ["active"])


def test_an_accepted_event_is_a_run_that_is_due_before_anybody_is_rung(api, seen):
    api.event("began", userId="ada", email="ada@example.com")

    wakeup = Wakeup.objects.get()
    assert (wakeup.run.status, wakeup.due_at <= timezone.now()) == ("active", True)


@pytest.mark.parametrize("name", ["began", "page.viewed"])
@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/batch"])
def test_a_repeated_event_merges_nobody_restores_no_old_property_and_changes_no_row(api, seen, name, path):
    body = {
        "name": name, "userId": "ada", "email": "ada@example.com", "idempotencyKey": "k", "lists": {"product-updates": True},
        "contactProperties": {"plan": "old"}, "eventProperties": {"n": 1},
    }  # fmt: skip

    def send(one: dict[str, Any]) -> tuple[int, Any]:
        status, answer = api.call("POST", path, [one] if "batch" in path else one)
        return status, answer[0] if "batch" in path else answer

    send(body)
    api.put(userId="ada", email="new@example.com", properties={"plan": "new"}, lists={"product-updates": False})
    api.put(email="ben@example.com")
    before = everything_stored()

    answers = [send(body), send({**body, "email": "ben@example.com", "contactProperties": {"plan": "third"}})]

    assert [(status, answer["stored"]) for status, answer in answers] == [(202, False)] * 2
    assert "different event" in answers[1][1]["reason"]
    assert everything_stored() == before


def test_who_comes_back_after_a_deletion_is_somebody_new_and_enters_again(api, seen):
    first = api.event("began", userId="ada", email="ada@example.com")["contactId"]
    work()
    assert api.call("DELETE", "/v1/contacts", {"userId": "ada"})[0] == 200

    second = api.event("began", userId="ada", email="ada@example.com")["contactId"]

    assert first != second
    assert set(JourneyRun.objects.values_list("contact", "status")) == {
        (Contact.objects.get(pk=first).pk, "exited"),
        (Contact.objects.get(pk=second).pk, "active"),
    }
    assert api.event("stopped", userId="ada")["exits"][0]["exited"] is True


def test_an_event_that_ends_a_run_and_begins_one_ends_first(api):
    with journeys.scratch():
        journeys._items.clear()

        @journey(id="cart", trigger="cart.changed", entry_limit="unlimited", exit_on=["cart.changed"])
        def cart(user, ctx):
            ctx.sleep(days(1), label="nap")

        exits = [api.event("cart.changed", userId="ada")["exits"] for _ in range(3)]

    assert [[one["exited"] for one in told] for told in exits] == [[], [True], [True]]
    assert statuses() == ["active", "exited", "exited"]
