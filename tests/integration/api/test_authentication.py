from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hogsend.api import authentication
from hogsend.api.authentication import Caller, KeyCache
from hogsend.api.keys import create_key, hash_key
from hogsend.api.models import ApiKey

pytestmark = pytest.mark.django_db

EVENT = {"name": "page.viewed", "userId": "ada"}


@pytest.fixture(autouse=True)
def _nobody_listens(settings):
    settings.HOGSEND_EVENT_CONSUMERS = []


@pytest.fixture
def post(client):
    def send(authorization: str | None):
        headers = {} if authorization is None else {"Authorization": authorization}
        return client.post("/v1/events", EVENT, content_type="application/json", headers=headers)

    return send


def key(*scopes: str, **options) -> str:
    return create_key(name="test", scopes=scopes, **options)[1]


def test_a_new_key_has_the_known_form_and_is_stored_as_a_hash_only():
    row, plain = create_key(name="test", scopes=["ingest", "read", "ingest"], tenant="acme")
    assert (plain[:4], len(plain)) == ("hsk_", 47)
    assert (row.prefix, row.key_hash, row.tenant) == (plain[:8], hash_key(plain), "acme")
    assert sorted(row.scopes) == ["ingest", "read"]


@pytest.mark.parametrize("scopes", [[], ["ingest", "root"]])
def test_a_key_without_a_good_scope_is_refused_with_a_sentence(scopes):
    with pytest.raises(ValueError, match="choose from: read, journey-admin, full-admin, ingest"):
        create_key(name="test", scopes=scopes)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer hsk_unknown", "bearer x", "Basic abc", "Bearer  two"]
)
def test_without_a_known_key_the_answer_is_401(post, authorization):
    response = post(authorization)
    assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})


def test_the_scheme_is_case_sensitive_and_the_key_untrimmed(post):
    plain = key("ingest")
    answers = [
        post(header).status_code
        for header in (f"Bearer {plain}", f"bearer {plain}", f"Bearer  {plain}", f"Bearer {plain[:-1]}")
    ]
    assert answers == [202, 401, 401, 401]


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["read"], 403), (["journey-admin"], 403), (["ingest"], 202), (["full-admin"], 202), (["read", "ingest"], 202)],
)
def test_events_need_the_scope_ingest(post, scopes, status):
    response = post(f"Bearer {key(*scopes)}")
    assert response.status_code == status
    if status == 403:
        assert response.json() == {"error": "Forbidden: insufficient scope"}


def test_the_static_key_may_do_everything(post, settings):
    settings.ADMIN_API_KEY = "a-long-admin-secret"
    assert [post(f"Bearer {text}").status_code for text in ("a-long-admin-secret", "a-long-admin-secre")] == [202, 401]


def test_an_unset_static_key_opens_nothing(post, settings):
    settings.ADMIN_API_KEY = ""
    assert post("Bearer ").status_code == 401


def test_an_expired_key_says_so(post):
    plain = key("ingest", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    response = post(f"Bearer {plain}")
    assert (response.status_code, response.json()) == (401, {"error": "API key expired"})


def test_a_key_that_expires_while_it_is_remembered_is_refused(post, time_machine_at):
    plain = key("ingest", expires_at=datetime(2026, 5, 1, 12, 0, 2, tzinfo=UTC))
    time_machine_at(datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC))
    first = post(f"Bearer {plain}").status_code
    time_machine_at(datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC))
    assert (first, post(f"Bearer {plain}").status_code) == (202, 401)


def test_a_revoked_key_is_refused_once_the_memory_of_it_is_five_seconds_old(monkeypatch, post):
    clock = [0.0]
    monkeypatch.setattr(authentication, "keys", KeyCache(clock=lambda: clock[0]))
    plain = key("ingest")
    answers = [post(f"Bearer {plain}").status_code]
    ApiKey.objects.update(revoked_at=datetime.now(UTC))
    for moment in (4.9, 5.0):
        clock[0] = moment
        answers.append(post(f"Bearer {plain}").status_code)
    assert answers == [202, 202, 401]


def test_a_remembered_key_costs_no_query_and_an_unknown_one_is_not_remembered():
    cache, plain = KeyCache(), key("ingest")
    assert cache.get(hash_key("later")) is None
    cache.get(hash_key(plain))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert cache.get(hash_key(plain)).caller == Caller(
            id=str(ApiKey.objects.only("id").get().id), name="test", scopes=frozenset({"ingest"})
        )
    assert len(queries) == 1  # the test's own


def test_the_memory_of_keys_is_bounded():
    cache = KeyCache(size=3)
    hashes = [hash_key(key("ingest")) for _ in range(5)]
    for one in hashes:
        cache.get(one)
    assert list(cache._rows) == hashes[2:]


def test_use_is_noted_at_most_every_five_minutes():
    row, plain = create_key(name="test", scopes=["ingest"])
    KeyCache().get(hash_key(plain))
    row.refresh_from_db()
    noted = row.last_used_at
    KeyCache().get(hash_key(plain))
    row.refresh_from_db()
    assert row.last_used_at == noted is not None
    ApiKey.objects.update(last_used_at=noted - timedelta(minutes=6))
    KeyCache().get(hash_key(plain))
    row.refresh_from_db()
    assert row.last_used_at >= noted


def test_a_note_of_use_that_fails_does_not_fail_the_request(post):
    plain = key("ingest")
    with connection.cursor() as cursor:
        cursor.execute(
            "create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$"
        )
        cursor.execute(
            "create trigger refuse before update on api_apikey for each row execute function pg_temp.refuse()"
        )
    assert post(f"Bearer {plain}").status_code == 202


@pytest.fixture
def time_machine_at():
    import time_machine

    travellers = []

    def go(moment: datetime) -> None:
        traveller = time_machine.travel(moment, tick=False)
        traveller.start()
        travellers.append(traveller)

    yield go
    for traveller in reversed(travellers):
        traveller.stop()
