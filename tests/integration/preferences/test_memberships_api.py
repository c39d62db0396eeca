import pytest

from contacts.models import Contact
from events.models import Event
from hogsend.api.keys import create_key
from preferences.models import ConsentChange, Preference
from preferences.queries import consent_of
from tests.people import ada as ada_known
from tests.people import ben, cleo, dora

pytestmark = pytest.mark.django_db

NO_EMAIL = "Contact has no email; cannot manage list membership"


@pytest.fixture
def key() -> str:
    return create_key(name="shop", scopes=["ingest"])[1]


@pytest.fixture
def post(client, key):
    def send(path: str, body: object, *, bearer: str = key):
        headers = {"Authorization": f"Bearer {bearer}"}
        return client.post(f"/v1/lists/{path}", body, content_type="application/json", headers=headers)

    return send


def test_subscribing_and_unsubscribing_flips_one_choice_on_one_row(post):
    person = ada_known()

    joined = post("beta/subscribe", {"userId": "ada"})
    left = post("beta/unsubscribe", {"email": "Ada@Example.com"})

    assert (joined.status_code, joined.json()) == (200, {"list": "beta", "subscribed": True})
    assert (left.status_code, left.json()) == (200, {"list": "beta", "subscribed": False})
    assert Preference.objects.get().categories == {"beta": False}
    assert list(ConsentChange.objects.order_by("id").values_list("contact", "category", "subscribed", "door")) == [
        (person.id, "beta", True, "api"),
        (person.id, "beta", False, "api"),
    ]
    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == [
        "contact.subscribed",
        "contact.unsubscribed",
    ]


def test_an_unknown_address_becomes_somebody(post):
    assert post("beta/subscribe", {"email": "eve@example.com"}).status_code == 200

    assert Preference.objects.get().contact == Contact.objects.get(email="eve@example.com")


def test_subscribing_twice_is_one_change(post):
    for _ in range(2):
        assert post("news/subscribe", {"email": "eve@example.com"}).json() == {"list": "news", "subscribed": True}

    assert ConsentChange.objects.count() == 1


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("body", [{"userId": "ada"}, {}, {"email": "nonsense"}])
def test_an_unknown_list_is_what_is_told_first(post, verb, body):
    answer = post(f"nothing/{verb}", body)

    assert (answer.status_code, answer.json()) == (404, {"error": "Unknown list: nothing"})


@pytest.mark.parametrize("list_id", ["transactional", "journey", "a%2Fb"])
def test_what_is_no_list_is_unknown(post, list_id):
    assert post(f"{list_id}/unsubscribe", {"userId": "ada"}).status_code == 404


def test_a_hidden_list_is_unknown_to_who_joins_and_can_be_left(post):
    ada_known()

    assert post("secret/subscribe", {"userId": "ada"}).status_code == 404
    assert post("secret/unsubscribe", {"userId": "ada"}).json() == {"list": "secret", "subscribed": False}


@pytest.mark.parametrize("body", [{}, {"email": "", "userId": " "}, {"email": None}])
def test_nobody_is_refused(post, body):
    answer = post("news/subscribe", body)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("email or userId is required")


def test_a_bad_address_is_refused_and_creates_nobody(post):
    answer = post("news/subscribe", {"userId": "eve", "email": "nonsense"})

    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == ["email"]
    assert not Contact.objects.exists()


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_somebody_without_an_address_is_refused_and_not_created(post, verb):
    answer = post(f"news/{verb}", {"userId": "eve"})

    assert (answer.status_code, answer.json()["error"]) == (400, NO_EMAIL)
    assert not Contact.objects.exists()


def test_a_known_visitor_without_an_address_is_refused(post):
    cleo()

    assert post("news/subscribe", {"anonymousId": "cleo-visit"}).json()["error"] == NO_EMAIL


def test_the_choice_is_kept_with_the_person_not_with_a_second_address(post):
    person = ada_known()

    post("beta/subscribe", {"userId": "ada", "email": "other@example.com"})

    assert Preference.objects.get().contact == person


def test_a_program_brings_nobody_back_to_all_mail(post):
    person = dora()

    assert post("news/subscribe", {"userId": "dora"}).json() == {"list": "news", "subscribed": True}

    assert consent_of([person.id])[person.id].unsubscribed_all is True


def test_reading_keys_change_no_list(post):
    reader = create_key(name="dashboard", scopes=["read"])[1]

    assert post("news/subscribe", {"userId": "ada"}, bearer=reader).status_code == 403
    assert post("news/subscribe", {"userId": "ada"}, bearer="unknown").status_code == 401


def test_a_body_that_is_no_json_is_refused(client, key):
    answer = client.post(
        "/v1/lists/news/subscribe",
        "{",
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )

    assert answer.status_code == 400


def test_a_contact_write_with_lists_changes_them(client, key):
    ben()

    answer = client.put(
        "/v1/contacts",
        {"email": "ben@example.com", "lists": {"beta": True, "news": False}},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )

    assert answer.status_code == 200
    assert Preference.objects.get().categories == {"beta": True, "news": False}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"email": "eve@example.com", "lists": {"beta": True, "newz": True}}, "Did you mean 'news'?"),
        ({"userId": "eve", "lists": {"beta": True}}, "email"),
    ],
)
def test_a_contact_write_is_refused_whole_when_a_list_cannot_be_changed(client, key, body, word):
    answer = client.put(
        "/v1/contacts", body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )

    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert not Contact.objects.exists()
    assert not Preference.objects.exists()
