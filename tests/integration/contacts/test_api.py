"""The routes of contacts as a program meets them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from contacts.models import Contact
from contacts.queries import contact_by_key
from hogsend.api.keys import create_key
from tests.people import ada, ben, cleo, dora

pytestmark = pytest.mark.django_db


@pytest.fixture
def api_key(db) -> str:
    return create_key(name="shop", scopes=["ingest"])[1]


@pytest.fixture
def call(client, api_key):
    """Send a request with a good key and return the status and the JSON."""

    def send(method: str, path: str = "/v1/contacts", body: object = None, **query: str):
        response = client.generic(
            method,
            path,
            b"" if body is None else body if isinstance(body, bytes) else _json(body),
            content_type="application/json",
            query_params=query or None,
            headers={"Authorization": f"Bearer {api_key}"},
        )
        return response.status_code, response.json()

    return send


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def test_an_address_alone_makes_a_contact(call):
    status, answer = call("PUT", body={"email": " New@Example.com ", "properties": {"plan": "pro", "gone": None}})
    contact = Contact.objects.get(pk=answer["id"])
    assert (status, answer["created"], answer["linked"]) == (200, True, False)
    assert (contact.email, contact.external_id, contact.properties) == ("new@example.com", None, {"plan": "pro"})


def test_a_second_write_unites_the_properties(call):
    someone = ada(plan="free", city="Rome")
    status, answer = call(
        "PUT", body={"userId": "ada", "properties": {"plan": "pro", "city": None, "team": {"a": None}}}
    )
    someone.refresh_from_db()
    assert (status, answer) == (200, {"id": str(someone.pk), "created": False, "linked": True})
    assert someone.properties == {"plan": "pro", "team": {"a": None}}


def test_a_user_id_is_linked_to_a_known_address(call):
    someone = ben()
    assert call("PUT", body={"email": "ben@example.com", "userId": "ben"})[1] == {
        "id": str(someone.pk),
        "created": False,
        "linked": True,
    }
    assert contact_by_key(kind="external", value="ben") == someone


def test_an_address_of_somebody_else_is_answered_as_a_conflict(call):
    ada(), dora()
    _, answer = call("PUT", body={"userId": "ada", "email": "dora@example.com"})
    assert answer["conflicts"] == [{"kind": "email", "value": "dora@example.com"}]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "email or userId is required"),
        ({"userId": "  "}, "email or userId is required"),
        ({"email": "nonsense"}, "email must be"),
        ({"userId": 7}, "userId is not valid"),
        ({"userId": "a" * 256}, "at most 255"),
        ({"userId": "a", "properties": []}, "properties is not valid"),
        ({"userId": "a", "lists": {"news": "yes"}}, "lists"),
        (b'{"userId":', "Malformed JSON"),
        (b"", "Malformed JSON"),
        (b'{"userId":"a\\u0000b"}', "NUL"),
        (b'{"userId":"a","properties":{"n":1e400000}}', "cannot be stored"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_sentence_and_writes_nothing(call, body, word):
    status, answer = call("PUT", body=body)
    assert (status, word in answer["error"]) == (400, True), answer
    assert Contact.objects.count() == 0


def test_people_are_found_by_every_key_they_ever_had(call):
    someone = ada()
    call("PUT", body={"userId": "ada", "email": "new@example.com"})
    _, by_old = call("GET", "/v1/contacts/find", email="ADA@example.com")
    _, by_id = call("GET", "/v1/contacts/find", userId=" ada ")
    assert [one["id"] for one in by_old["contacts"]] == [one["id"] for one in by_id["contacts"]] == [str(someone.pk)]
    assert by_old["contacts"][0]["email"] == "new@example.com"


def test_keys_of_two_people_find_both_and_of_nobody_none(call):
    ada(), ben()
    _, answer = call("GET", "/v1/contacts/find", email="ben@example.com", userId="ada")
    assert {one["externalId"] for one in answer["contacts"]} == {"ada", None}
    assert call("GET", "/v1/contacts/find", email="nobody@example.com") == (200, {"contacts": []})
    assert call("GET", "/v1/contacts/find", email="  ") == (200, {"contacts": []})
    assert call("GET", "/v1/contacts/find")[0] == 400


def test_times_are_utc_with_milliseconds(call):
    ada()
    (contact,) = call("GET", "/v1/contacts/find", userId="ada")[1]["contacts"]
    assert contact["firstSeenAt"] == "2026-01-01T12:00:00.000Z"
    assert UUID(contact["id"])


def test_somebody_is_deleted_once_and_found_no_more(call):
    someone = ada()
    assert call("DELETE", body={"email": "ada@example.com"}) == (200, {"deleted": True})
    assert call("DELETE", body={"email": "ada@example.com"}) == (404, {"error": "Contact not found"})
    assert call("GET", "/v1/contacts/find", userId="ada") == (200, {"contacts": []})
    someone.refresh_from_db()
    assert someone.deleted_at is not None


def test_two_people_are_not_deleted_by_one_request(call):
    ada(), ben()
    status, answer = call("DELETE", body={"userId": "ada", "email": "ben@example.com"})
    assert (status, "two different contacts" in answer["error"]) == (409, True)
    assert Contact.objects.filter(deleted_at=None).count() == 2
    assert call("DELETE", body={})[0] == 400


def test_a_visitor_is_known_by_their_anonymous_id(call):
    visitor = cleo()
    assert call("PUT", body={"anonymousId": "cleo-visit", "userId": "cleo"})[1]["id"] == str(visitor.pk)


def test_a_key_without_the_scope_is_refused(client):
    key = create_key(name="reader", scopes=["read"])[1]
    for method, path in (("PUT", "/v1/contacts"), ("DELETE", "/v1/contacts"), ("GET", "/v1/contacts/find")):
        refused = client.generic(method, path, b"{}", headers={"Authorization": f"Bearer {key}"})
        assert (refused.status_code, "scope" in refused.json()["error"]) == (403, True)
        assert client.generic(method, path, b"{}").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_two_property_patches_at_once_both_survive(api_key):
    someone, start = ada(), threading.Barrier(8)

    def patch(number: int) -> int:
        try:
            start.wait(10)
            return (
                Client()
                .put(
                    "/v1/contacts",
                    {"userId": "ada", "properties": {f"p{number}": number}},
                    content_type="application/json",
                    headers={"Authorization": f"Bearer {api_key}"},
                )
                .status_code
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(patch, range(8))) == {200}
    someone.refresh_from_db()
    assert someone.properties == {f"p{number}": number for number in range(8)}


def test_a_time_zone_is_the_persons_own_word(call):
    someone = ada()
    assert call("PUT", body={"userId": "ada", "timezone": " europe/rome "})[0] == 200
    assert call("PUT", body={"userId": "ada", "timezone": None, "properties": {"plan": "pro"}})[0] == 200
    someone.refresh_from_db()
    assert (someone.timezone, someone.timezone_source) == ("Europe/Rome", "user")
    assert call("GET", "/v1/contacts/find", userId="ada")[1]["contacts"][0]["timezone"] == "Europe/Rome"


def test_what_is_no_time_zone_is_refused_and_writes_nothing(call):
    status, answer = call("PUT", body={"userId": "eve", "timezone": "Mars"})
    assert (status, answer["details"][0]["path"]) == (400, ["timezone"])
    assert call("PUT", body={"userId": "eve", "timezone": 7})[0] == 400
    assert Contact.objects.count() == 0
