import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contacts.models import Contact
from events.models import Event, IdempotencyKey
from hogsend.api.keys import create_key
from tests.integration.events import probes
from tests.people import ada, dora

pytestmark = pytest.mark.django_db


def test_both_bags_are_kept_apart(post):
    response = post(
        {
            "name": "plan.changed",
            "email": "Eve@Example.com",
            "userId": "eve",
            "eventProperties": {"from": "free"},
            "contactProperties": {"plan": "pro"},
        }
    )
    contact, event = Contact.objects.get(), Event.objects.get()
    assert response.status_code == 202
    assert response.json() == {"stored": True, "exits": [], "contactId": str(contact.pk)}
    assert (event.name, event.contact, event.properties, event.hop) == ("plan.changed", contact, {"from": "free"}, 0)
    assert (contact.external_id, contact.email, contact.properties) == ("eve", "eve@example.com", {"plan": "pro"})


def test_an_event_keeps_the_time_it_is_given_and_the_time_it_came(post):
    post({"name": "n", "userId": "eve", "timestamp": "2025-06-01T10:00:00+02:00"})
    event = Event.objects.get()
    assert event.occurred_at == datetime(2025, 6, 1, 8, tzinfo=UTC)
    assert event.received_at > event.occurred_at


def test_an_event_without_a_time_happened_now(post):
    post({"name": "n", "userId": "eve"})
    assert Event.objects.get().occurred_at == Event.objects.get().received_at


def test_a_visitor_becomes_known_under_the_same_id(post):
    first = post({"name": "n", "anonymousId": "v1"}).json()["contactId"]
    second = post({"name": "n", "anonymousId": "v1", "userId": "eve"}).json()["contactId"]
    assert first == second == post({"name": "n", "userId": "eve"}).json()["contactId"]


def test_the_same_key_stores_once_and_says_why_when_the_event_differs(post):
    first = post({"name": "n", "userId": "eve"}, Idempotency_Key="k")
    again = post({"name": "n", "userId": "eve"}, Idempotency_Key="k")
    other = post({"name": "n", "userId": "eve", "eventProperties": {"a": 1}}, Idempotency_Key="k")
    assert [one.status_code for one in (first, again, other)] == [202, 202, 202]
    assert again.json() == {"stored": False, "exits": [], "contactId": first.json()["contactId"]}
    assert "different event" in other.json()["reason"]
    assert Event.objects.count() == 1


def test_a_duplicate_changes_nothing_at_all(post):
    post({"name": "n", "userId": "eve", "contactProperties": {"plan": "old"}}, Idempotency_Key="k")
    post({"name": "n", "userId": "eve", "contactProperties": {"plan": "new"}})
    before = list(Contact.objects.values())
    post(
        {"name": "n", "userId": "eve", "email": "eve@example.com", "contactProperties": {"plan": "old"}},
        Idempotency_Key="k",
    )
    post({"name": "n", "userId": "somebody else", "anonymousId": "v"}, Idempotency_Key="k")
    assert list(Contact.objects.values()) == before


@pytest.mark.parametrize(("header", "stored"), [("other", True), ("", True), (None, False)])
def test_the_header_beats_the_key_in_the_body_and_an_empty_one_means_none(post, header, stored):
    body = {"name": "n", "userId": "eve", "idempotencyKey": "k"}
    post(body)
    headers = {} if header is None else {"Idempotency_Key": header}
    assert post(body, **headers).json()["stored"] is stored
    assert IdempotencyKey.objects.filter(scope="main:events", key="k").count() == 1


def test_two_tenants_may_use_the_same_key(client):
    for tenant in ("main", "acme"):
        plain = create_key(name=tenant, scopes=["ingest"], tenant=tenant)[1]
        body = {"name": "n", "userId": "eve", "idempotencyKey": "k"}
        assert client.post("/v1/events", body, "application/json", headers={"Authorization": f"Bearer {plain}"}).json()[
            "stored"
        ]
    assert sorted(IdempotencyKey.objects.values_list("scope", flat=True)) == ["acme:events", "main:events"]


def test_who_repeats_an_event_is_told_of_the_same_runs(post, listeners):
    listeners(probes.end_a_run)
    stop = {"name": "stop", "userId": "eve"}
    first = post(stop, Idempotency_Key="k").json()
    again = post(stop, Idempotency_Key="k").json()
    other = post({**stop, "name": "start"}, Idempotency_Key="k").json()
    twice = post([{**stop, "idempotencyKey": "in one"}] * 2, path="/v1/events/batch").json()
    assert [one["exited"] for one in first["exits"]] == [True, False]
    assert again == {**first, "stored": False}
    assert other["exits"] == []
    assert twice[1] == {**twice[0], "stored": False}


def test_the_runs_that_were_considered_are_answered(post, listeners):
    listeners(probes.end_a_run)
    exits = post({"name": "stop", "userId": "eve"}).json()["exits"]
    assert [(one["journeyId"], one["exited"]) for one in exits] == [("welcome", True), ("tips", False)]
    assert UUID(exits[0]["stateId"])


def test_an_event_with_keys_of_two_known_people_goes_to_the_user_id(post):
    first, _ = ada(), dora()
    assert post({"name": "n", "userId": "ada", "email": "dora@example.com"}).json()["contactId"] == str(first.pk)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_body_is_json_whatever_the_header_says(client, api_key, content_type):
    response = client.post(
        "/v1/events",
        b'{"name":"n","userId":"eve"}',
        content_type=content_type,
        headers={"Authorization": f"Bearer {api_key}"},
    )
    assert response.status_code == 202


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml"])
def test_the_answer_is_json_whatever_is_asked_for(post, accept):
    response = post({"name": "n", "userId": "eve"}, Accept=accept)
    assert (response.status_code, response.headers["Content-Type"]) == (202, "application/json")


BAD = {
    "not json": (b"name=n&userId=eve", 400),
    "empty": (b"", 400),
    "an array": (b"[]", 400),
    "a number": (b"7", 400),
    "not utf-8": (b'{"name":"n","userId":"\xff"}', 400),
    "an escaped NUL": (b'{"name":"n","userId":"a\\u0000b"}', 400),
    "a raw NUL": (b'{"name":"n","userId":"a\x00b"}', 400),
    "a NUL in a property": (b'{"name":"n","userId":"a","contactProperties":{"x":["\\u0000"]}}', 400),
    "a lone surrogate": (b'{"name":"n","userId":"a","contactProperties":{"x":"\\ud800 "}}', 400),
    "a number out of range": (b'{"name":"n","userId":"a","contactProperties":{"x":1e200000}}', 400),
    "200 levels": (b'{"name":"n","userId":"a","eventProperties":{"x":' + b"[" * 200 + b"]" * 200 + b"}}", 400),
    "5000 levels": (b'{"name":"n","userId":"a","eventProperties":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}", 400),
    "no name": (b'{"userId":"eve"}', 400),
    "a name of the wrong type": (b'{"name":["n"],"userId":"eve"}', 400),
    "an empty name": (b'{"name":"","userId":"eve"}', 400),
    "a long name": (b'{"name":"' + b"n" * 201 + b'","userId":"eve"}', 400),
    "a reserved name": (b'{"name":"journey:completed","userId":"eve"}', 400),
    "nobody": (b'{"name":"n"}', 400),
    "a blank user": (b'{"name":"n","userId":"   "}', 400),
    "a long user": (b'{"name":"n","userId":"' + b"u" * 256 + b'"}', 400),
    "no address": (b'{"name":"n","email":"eve"}', 400),
    "properties of the wrong type": (b'{"name":"n","userId":"eve","eventProperties":"x"}', 400),
    "lists of the wrong type": (b'{"name":"n","userId":"eve","lists":{"news":1}}', 400),
    "the day after tomorrow": (
        b'{"name":"n","userId":"eve","timestamp":"'
        + (datetime.now(UTC) + timedelta(days=2)).isoformat().encode()
        + b'"}',
        400,
    ),
    "no time": (b'{"name":"n","userId":"eve","timestamp":"yesterday"}', 400),
    "10 MB": (b'{"name":"n","userId":"eve","eventProperties":{"x":"' + b"x" * 10_000_000 + b'"}}', 413),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_taken_is_refused_with_a_sentence_and_stores_nothing(post, case):
    body, status = BAD[case]
    response = post(body)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json")
    assert response.json()["error"].strip()
    assert (Event.objects.count(), Contact.objects.count(), IdempotencyKey.objects.count()) == (0, 0, 0)


def test_a_key_that_is_too_long_is_refused(post):
    response = post({"name": "n", "userId": "eve"}, Idempotency_Key="k" * 256)
    assert (response.status_code, response.json()["details"][0]["path"]) == (400, ["idempotencyKey"])


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_another_method_is_a_405_after_the_key_was_asked_for(client, api_key, method):
    send = getattr(client, method)
    assert send("/v1/events").status_code == 401
    response = send("/v1/events", headers={"Authorization": f"Bearer {api_key}"})
    assert (response.status_code, response.json()) == (
        405,
        {"error": f"{method.upper()} is not allowed here; use POST."},
    )


def test_a_fault_in_a_consumer_is_a_500_and_stores_nothing(post, listeners):
    listeners(probes.fail_for_bad)
    response = post({"name": "bad", "userId": "eve"})
    assert (response.status_code, response.json()) == (500, {"error": "Internal Server Error"})
    assert not Contact.objects.exists()


def test_a_batch_is_answered_item_by_item_in_order(post):
    response = post(
        [
            {"name": "n", "userId": "eve", "idempotencyKey": "k"},
            {"name": "n"},
            {"name": "n", "userId": "eve", "contactProperties": {"x": 1}},
            {"name": "n", "userId": "eve", "idempotencyKey": "k"},
            7,
            {"name": "email.opened", "userId": "eve"},
        ],
        "/v1/events/batch",
    )
    eve = str(Contact.objects.get().pk)
    first, nobody, second, again, number, reserved = response.json()
    assert response.status_code == 202
    assert first == second == {"stored": True, "exits": [], "contactId": eve}
    assert again == {"stored": False, "exits": [], "contactId": eve}
    assert [bool(one["error"] and one["details"]) for one in (nobody, number, reserved)] == [True] * 3
    assert Event.objects.count() == 2


def test_one_item_that_only_the_database_refuses_fails_alone(post):
    items = [json.dumps({"name": "n", "userId": f"u{i}"}) for i in range(20)]
    items[7] = '{"name":"n","userId":"u7","contactProperties":{"x":1e200000}}'
    results = post("[" + ",".join(items) + "]", "/v1/events/batch").json()
    assert [one.get("stored", False) for one in results] == [i != 7 for i in range(20)]
    assert "cannot be stored" in results[7]["error"]
    assert (Event.objects.count(), Contact.objects.filter(external_id="u7").exists()) == (19, False)


def test_a_thousand_events_are_one_batch_and_one_more_is_too_many(post):
    items = [{"name": "n", "userId": f"u{i % 300}"} for i in range(1000)]
    assert all(one["stored"] for one in post(items, "/v1/events/batch").json())
    assert (Event.objects.count(), Contact.objects.count()) == (1000, 300)
    refused = post([*items, items[0]], "/v1/events/batch")
    assert (refused.status_code, "at most 1000" in refused.json()["error"], Event.objects.count()) == (400, True, 1000)


def test_an_empty_batch_is_answered_with_nothing(post):
    response = post([], "/v1/events/batch")
    assert (response.status_code, response.json()) == (202, [])


def test_a_batch_may_be_four_times_as_large_as_an_event(post):
    pad = "x" * 200_000
    items = [{"name": "n", "userId": "eve", "eventProperties": {"pad": pad}} for _ in range(15)]
    assert post(items, "/v1/events/batch").status_code == 202
    assert post(items + items, "/v1/events/batch").status_code == 413


def test_the_header_is_not_for_batches(post):
    response = post([{"name": "n", "userId": "eve"}], "/v1/events/batch", Idempotency_Key="k")
    assert (response.status_code, "idempotencyKey" in response.json()["error"]) == (400, True)


def test_the_events_of_one_person_keep_their_order(post):
    post([{"name": f"n{i}", "userId": "eve"} for i in range(30)], "/v1/events/batch")
    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == [f"n{i}" for i in range(30)]
