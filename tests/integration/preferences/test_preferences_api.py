from datetime import timedelta
from uuid import UUID

import pytest

from contacts.actions import merge_contacts
from hogsend.api.keys import create_key
from hogsend.clock import database_now
from preferences.actions import change_consent, suppress
from preferences.models import ConsentChange, Preference, Suppression
from tests.people import ada as ada_known
from tests.people import ben, dora

pytestmark = pytest.mark.django_db

NOBODY = UUID("01890000-0000-7000-8000-00000000dead")


@pytest.fixture
def call(client):
    """Send one request about a person's preferences with a key of these scopes."""

    def send(method: str, contact_id: object, body: object = None, *, scope: str = "ingest"):
        key = create_key(name="shop", scopes=[scope])[1]
        return getattr(client, method)(
            f"/v1/contacts/{contact_id}/preferences",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return send


@pytest.fixture
def read(client):
    key = create_key(name="reader", scopes=["ingest"])[1]

    def send(contact_id: object):
        return client.get(f"/v1/contacts/{contact_id}/preferences", headers={"Authorization": f"Bearer {key}"})

    return send


def lists_in(answer) -> dict[str, bool]:
    return {name: answer.json()["lists"][name] for name in ("news", "beta")}


def test_who_chose_nothing_is_where_the_lists_put_them(read):
    answer = read(ada_known().id)

    assert answer.status_code == 200
    assert lists_in(answer) == {"news": True, "beta": False}
    assert {**answer.json(), "lists": None} == {
        "unsubscribedAll": False,
        "pausedUntil": None,
        "lists": None,
        "categories": {},
        "suppressed": None,
    }


def test_everything_that_was_chosen_is_told(read):
    person, now = ada_known(), database_now().replace(microsecond=0)
    Preference.objects.create(contact=person, unsubscribed_all=True, categories={"beta": True}, paused_until=now)
    suppress(email="ada@example.com", reason=Suppression.Reason.BOUNCE, now=now)

    answer = read(person.id)

    moment = now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert lists_in(answer) == {"news": False, "beta": False}
    assert {**answer.json(), "lists": None} == {
        "unsubscribedAll": True,
        "pausedUntil": moment,
        "lists": None,
        "categories": {"beta": True},
        "suppressed": {"reason": "bounce", "suppressedAt": moment},
    }


def test_several_wishes_are_done_at_once(call):
    person = ada_known()

    answer = call(
        "patch",
        person.id,
        {"unsubscribedAll": True, "pausedUntil": "2999-01-01T00:00:00+01:00", "lists": {"beta": True, "news": False}},
    )

    assert answer.status_code == 200
    assert answer.json()["unsubscribedAll"] is True
    assert answer.json()["pausedUntil"] == "2998-12-31T23:00:00.000Z"
    assert answer.json()["categories"] == {"beta": True, "news": False}
    assert set(ConsentChange.objects.values_list("door", flat=True)) == {"api"}


def test_a_pause_is_ended_by_null_and_left_alone_by_silence(call):
    person = ada_known()
    call("patch", person.id, {"pausedUntil": "2999-01-01T00:00:00Z"})

    kept = call("patch", person.id, {"lists": {"news": False}}).json()["pausedUntil"]
    ended = call("patch", person.id, {"pausedUntil": None}).json()["pausedUntil"]

    assert (kept, ended) == ("2999-01-01T00:00:00.000Z", None)


def test_an_unknown_list_refuses_the_whole_change(call):
    person = ada_known()

    answer = call("patch", person.id, {"unsubscribedAll": True, "lists": {"news": False, "betta": True}})

    assert answer.status_code == 400
    assert answer.json()["error"] == "There is no list 'betta'. Did you mean 'beta'?"
    assert answer.json()["details"][0]["path"] == ["lists", "betta"]
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, []),
        ({"unsubscribedAll": None}, []),
        ({"unsubscribedAll": "false"}, ["unsubscribedAll"]),
        ({"lists": {"news": 1}}, ["lists"]),
        ({"pausedUntil": "tomorrow"}, ["pausedUntil"]),
        ({"pausedUntil": "2999-01-01T00:00:00"}, ["pausedUntil"]),
        ({"pausedUntil": "2020-01-01T00:00:00Z"}, ["pausedUntil"]),
        ([], []),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(call, body, path):
    answer = call("patch", ada_known().id, body)

    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == path
    assert not Preference.objects.exists()


def test_lifting_an_opt_out_from_all_mail_takes_a_full_admin(call):
    person = dora()

    refused = call("patch", person.id, {"unsubscribedAll": False, "lists": {"news": False}})
    allowed = call("patch", person.id, {"unsubscribedAll": False}, scope="full-admin")

    assert refused.status_code == 403
    assert "full-admin" in refused.json()["error"]
    assert (allowed.status_code, allowed.json()["unsubscribedAll"]) == (200, False)
    assert allowed.json()["categories"] == {}


def test_saying_what_is_so_already_lifts_nothing_and_is_allowed(call):
    assert call("patch", ada_known().id, {"unsubscribedAll": False}).status_code == 200

    assert not ConsentChange.objects.exists()


def test_an_absorbed_contact_is_answered_with_the_survivor(call, read):
    survivor, absorbed = ada_known(), ben()
    merge_contacts(survivor_id=survivor.id, absorbed_id=absorbed.id, actor="test", now=database_now())

    call("patch", absorbed.id, {"lists": {"news": False}})

    assert read(absorbed.id).json() == read(survivor.id).json()
    assert Preference.objects.get().contact_id == survivor.id


@pytest.mark.parametrize("method", ["get", "patch"])
def test_nobody_has_no_preferences(call, method):
    body = {"unsubscribedAll": True} if method == "patch" else None

    answer = call(method, NOBODY, body)

    assert (answer.status_code, answer.json()) == (404, {"error": "Contact not found"})
    assert call(method, "not-an-id", body).status_code == 404


def test_reading_keys_do_not_read_consent(call):
    assert call("get", ada_known().id, scope="read").status_code == 403


def test_a_change_by_the_page_is_seen_at_once(read):
    person = ada_known()

    change_consent(
        contact_id=person.id,
        category="beta",
        subscribed=True,
        door=ConsentChange.Door.PAGE,
        now=database_now() - timedelta(seconds=1),
    )

    assert lists_in(read(person.id)) == {"news": True, "beta": True}
