"""What befell others: requests that break the server, open a door, or are answered beside the point."""

import json
import os
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from contacts.models import Contact
from emails.models import EmailSend
from events.models import Event
from preferences.models import Preference
from tests.acceptance.data_plane import Api
from tests.people import ada

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
NEWS = "product-updates"
NOBODY = "01890000-0000-7000-8000-00000000dead"
GOOD = {
    ("PUT", "/v1/contacts"): {"userId": "eve", "email": "eve@example.com"},
    ("POST", "/v1/events"): {"name": "n", "userId": "eve"},
    ("POST", "/v1/events/batch"): [{"name": "n", "userId": "eve"}],
    ("POST", "/v1/emails"): {"to": "eve@example.com", "template": "welcome"},
    ("POST", f"/v1/lists/{NEWS}/subscribe"): {"email": "eve@example.com"},
    ("POST", f"/v1/lists/{NEWS}/unsubscribe"): {"email": "eve@example.com"},
    ("PATCH", f"/v1/contacts/{NOBODY}/preferences"): {"unsubscribedAll": True},
    ("DELETE", "/v1/contacts"): {"userId": "ada"},
}
READS = [("GET", "/v1/contacts/find?userId=ada"), ("GET", "/v1/lists"), ("GET", f"/v1/contacts/{NOBODY}/preferences")]
WRITES = pytest.mark.parametrize(("method", "path"), GOOD, ids=str)
ROUTES = pytest.mark.parametrize(("method", "path"), [*GOOD, *READS], ids=str)


@pytest.fixture
def api(db) -> Api:
    return Api()


@pytest.fixture(autouse=True)
def _somebody(db) -> None:
    ada()


def body_of(method: str, path: str) -> bytes | None:
    return json.dumps(GOOD[method, path]).encode() if (method, path) in GOOD else None


def untouched() -> bool:
    """Whether there is only ada, to whom nothing happened."""
    rows = (Contact.objects.count(), Event.objects.count(), EmailSend.objects.count(), Preference.objects.count())
    return rows == (1, 0, 0, 0) and Contact.objects.get().deleted_at is None


@ROUTES
def test_every_route_asks_for_a_key_and_for_the_scope_to_ingest(settings, method, path):
    settings.ADMIN_API_KEY = "a-long-admin-secret"
    asked = {"unknown": Api(), "read": Api("read", "journey-admin"), "ingest": Api(), "static": Api()}
    asked["unknown"].key, asked["static"].key = "hsk_unknown", settings.ADMIN_API_KEY
    without = Client().generic(method, path, body_of(method, path) or b"")

    answers = {who: one.call(method, path, body_of(method, path)) for who, one in asked.items()}

    assert (without.status_code, without.json()) == (401, {"error": "Unauthorized"})
    assert answers["unknown"] == (401, {"error": "Unauthorized"})
    assert (answers["read"][0], "scope" in answers["read"][1]["error"]) == (403, True)
    assert answers["ingest"][0] in {200, 202, 404}
    assert answers["static"][0] in {200, 202, 404}


@WRITES
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_is_read_as_json_whatever_its_header_says(api, method, path, kind):
    status, answer = api.call(method, path, body_of(method, path), content_type=kind)

    assert status in {200, 202} or (status, answer) == (404, {"error": "Contact not found"})


HOSTILE = {
    "nothing": b"",
    "no JSON": b"name=n&userId=eve",
    "a number": b"7",
    "a NUL": b'{"name":"n","userId":"a\\u0000b","to":"a@example.com","template":"welcome","unsubscribedAll":true}',
    "a raw NUL": b'{"name":"n","userId":"a\x00b"}',
    "no UTF-8": b'{"name":"n","userId":"\xff"}',
    "half a surrogate pair": b'{"userId":"\\ud800","email":"\\ud800","name":"\\ud800","template":"\\ud800","unsubscribedAll":"\\ud800"}',
    "6,000 brackets": b'{"name":"n","userId":"a","properties":{"x":' + b"[" * 3000 + b"]" * 3000 + b"}}",
    "5 MB": b'{"name":"n","userId":"' + b"u" * 5_000_000 + b'"}',
    "a blank user": b'{"name":"n","userId":"  ","email":" ","to":" ","template":"welcome"}',
    "the wrong types": b'{"name":1,"userId":[1],"email":{},"to":7,"template":[],"unsubscribedAll":"yes"}',
    "nulls": b'{"name":null,"userId":null,"email":null,"to":null,"template":null,"unsubscribedAll":null}',
}


@WRITES
@pytest.mark.parametrize("case", HOSTILE)
def test_a_body_that_cannot_be_taken_is_refused_with_a_sentence_and_changes_nothing(api, method, path, case):
    status, answer = api.call(method, path, HOSTILE[case])

    assert status in {400, 413}, answer
    assert answer["error"].strip()
    assert status == HTTPStatus.BAD_REQUEST or set(answer) == {"error"}
    assert untouched()


LONG = "x" * 400
GARBAGE = ["eve", "@example.com", "eve@example", "eve @example.com", "eve@example.com,ben@example.com", f"{LONG}@e.org"]


@pytest.mark.parametrize("email", GARBAGE)
def test_what_is_no_address_makes_nobody_by_any_door(api, email):
    names = {"userId": "eve", "email": email}
    answers = [
        api.call("PUT", "/v1/contacts", names),
        api.call("POST", "/v1/events", {"name": "n", **names}),
        api.call("POST", "/v1/emails", {"template": "welcome", "to": email}),
        api.call("POST", f"/v1/lists/{NEWS}/subscribe", names),
        api.call("POST", f"/v1/lists/{NEWS}/unsubscribe", {"email": email}),
    ]

    assert [status for status, _ in answers] == [400] * 5
    assert untouched()


RESERVED = ["bucket:entered:vip", "journey:completed", "email.opened", "contact.deleted"]


@pytest.mark.parametrize("name", RESERVED)
def test_what_only_the_engine_may_say_is_refused_from_outside(api, name):
    one = api.call("POST", "/v1/events", {"name": name, "userId": "ada"})
    many = api.call("POST", "/v1/events/batch", [{"name": name, "userId": "ada"}])

    assert (one[0], one[1]["details"][0]["code"]) == (400, "reserved")
    assert many[1][0]["details"][0]["code"] == "reserved"
    assert untouched()


@pytest.mark.parametrize("number", ["1e5000", "9" * 5000, "1e100000", "-1e5000"])
@pytest.mark.parametrize("door", ["write", "event"])
def test_a_property_that_was_taken_can_be_read_again(api, number, door):
    """Whoever is written once stays somebody who can be looked up and mailed."""
    fields = b'{"name":"n","userId":"eve","email":"eve@example.com","%s":{"n":%s}}'
    method, path, bag = ("PUT", "/v1/contacts", b"properties")
    if door == "event":
        method, path, bag = ("POST", "/v1/events", b"contactProperties")

    taken, _ = api.call(method, path, fields % (bag, number.encode()))
    found, _ = api.call("GET", "/v1/contacts/find?userId=eve")
    mailed, _ = api.call("POST", "/v1/emails", {"to": "eve@example.com", "template": "welcome"})

    assert taken in {200, 202, 400}
    assert (found, mailed) == (200, 202)


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59+23:00"])
def test_a_pause_that_was_taken_can_be_read_again_and_keeps_nobody_from_leaving(api, until):
    path = f"/v1/contacts/{Contact.objects.get().pk}/preferences"

    taken, _ = api.call("PATCH", path, {"pausedUntil": until})
    read, _ = api.call("GET", path)
    mailed, _ = api.call("POST", "/v1/emails", {"userId": "ada", "template": "welcome"})
    left, _ = api.call("POST", f"/v1/lists/{NEWS}/unsubscribe", {"userId": "ada"})

    assert taken in {200, 400}
    assert (read, mailed, left) == (200, 202, 200)


@pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"])
def test_an_event_of_a_time_that_cannot_be_is_refused(api, moment):
    status, answer = api.call("POST", "/v1/events", {"name": "n", "userId": "ada", "timestamp": moment})

    assert (status, answer["details"][0]["path"]) == (400, ["timestamp"])
    assert untouched()


@pytest.mark.parametrize(
    ("part", "method", "path"),
    [(path.split("/")[2], method, path) for method, path in GOOD if "batch" not in path and NEWS not in path]
    + [("lists", "GET", "/v1/lists"), ("contacts", "GET", "/v1/contacts/find?userId=ada")],
)
def test_every_part_of_the_data_plane_has_a_limit_and_says_when_there_is_room(settings, part, method, path):
    settings.HOGSEND_RATE_LIMITS = {**settings.HOGSEND_RATE_LIMITS, part: 1}
    headers = {"Authorization": f"Bearer {Api().key}"}
    body = body_of(method, path) or b""

    first, second = (Client().generic(method, path, body, headers=headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (first.status_code, 429)
    assert first.status_code in {200, 202, 404}
    assert 1 <= int(second.headers["Retry-After"]) <= 60
    assert (second.headers["X-RateLimit-Limit"], second.headers["X-RateLimit-Remaining"]) == ("1", "0")


@pytest.mark.parametrize(
    "path", ["/v1/ingest", "/api/auth/sign-up/email", "/v1/auth/sign-up", "/v1/contacts/42/preferences"]
)
def test_what_is_no_route_is_lost_and_nobody_signs_up(api, path):
    body = {"event": "n", "userId": "eve", "email": "eve@example.com", "password": "a-long-password", "name": "Eve"}

    status, answer = api.call("POST", path, body)

    assert (status, answer) == (404, {"error": "Not Found"})
    assert not get_user_model().objects.exists()
    assert untouched()


def test_the_secret_of_a_webhook_source_is_read_from_the_environment_whatever_the_source_is_called():
    ask = "from hogsend import settings; print(settings.WEBHOOK_SECRETS['ACME_SHOP_WEBHOOK_SECRET'])"
    environment = {**os.environ, "ACME_SHOP_WEBHOOK_SECRET": "s3cret"}

    told = subprocess.run([sys.executable, "-c", ask], env=environment, cwd=ROOT, capture_output=True, check=True)

    assert told.stdout.decode().strip() == "s3cret"
