"""The operators' API of journeys, as programs and people at a console meet it."""

import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from buckets.definitions import Bucket
from buckets.definitions import registry as buckets
from conditions.property import prop
from contacts.actions import delete_contact
from contacts.models import Contact
from events.models import Event
from hogsend.api.keys import create_key
from hogsend.authoring import days, exit_rule, hours, journey, send_email
from hogsend.lib.ids import new_id
from journeys.actions.lease import database_now
from journeys.actions.operate import set_journey
from journeys.models import JourneyRun, RunStatus
from journeys.reactions import declare_reactions
from tests.people import ben, dora, person

JOURNEY = {"id", "name", "description", "enabled", "paused", "trigger", "entryLimit", "counts"}
DETAIL = {"exitOn", "suppress", "category", "codeHash", "version", "runsByCode", "skippedIn7Days", "recentStates"}
STATE = {
    *("id", "userId", "userEmail", "journeyId", "currentNodeId", "status", "hatchetRunId", "context", "errorMessage"),
    *("entryCount", "completedAt", "exitedAt", "createdAt", "updatedAt"),
    *("contactId", "exitReason", "waitsFor", "waitsUntil", "codeHash", "version"),
}
LOG = {"id", "fromNodeId", "toNodeId", "action", "detail", "createdAt"}
SOMEBODY = "018f0000-0000-7000-8000-000000000000"
ADA = {"userId": "ada", "userEmail": "ada@example.com"}
READING = ["", "/nap", "/nap/states", f"/nap/states/{SOMEBODY}"]
ACTING = [
    ("PATCH", "/nap", {"paused": True}),
    ("POST", "/nap/enroll", ADA),
    ("POST", "/nap/enroll/batch", {"users": [ADA]}),
    ("DELETE", f"/nap/states/{SOMEBODY}", None),
    ("POST", f"/nap/states/{SOMEBODY}/retry", None),
    ("POST", f"/nap/states/{SOMEBODY}/skip-wait", None),
]
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

pytestmark = pytest.mark.django_db


def call(method: str, path: str, body: object = None, *, scope: str | None = "journey-admin"):
    headers = {"Authorization": f"Bearer {create_key(name='console', scopes=[scope])[1]}"} if scope else {}
    sent = b"" if body is None else json.dumps(body).encode()
    return Client().generic(method, f"/v1/admin/{path}", sent, content_type="application/json", headers=headers)


def at(method: str, path: str = "", body: object = None, **more):
    return call(method, f"journeys{path}", body, **more)


def get(path: str = "") -> dict:
    response = at("GET", path, scope="read")
    assert response.status_code == 200, response.content
    return response.json()


def post(path: str, body: object = None) -> dict:
    response = at("POST", path, body)
    assert response.status_code in {200, 202}, response.content
    return {"status": response.status_code, **response.json()}


def refused(response) -> tuple[int, str]:
    assert set(response.json()) <= {"error", "details"}
    return response.status_code, response.json()["error"]


@pytest.fixture
def nap():
    @journey(
        id="nap",
        trigger="go",
        name="Nap",
        description="Sleeps a while.",
        where=prop("plan").eq("pro"),
        entry_limit="unlimited",
        exit_on=["stop", exit_rule("plan.changed", where=prop("plan").eq("free"))],
        suppress=hours(12),
        category="journey",
    )
    def nap(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="nap")
        send_email(user, "bye")

    return nap


@pytest.fixture
def broken(facts):
    @journey(id="broken", trigger="break")
    def broken(user, ctx):
        ctx.checkpoint("before")
        if not facts.calls:
            facts.calls.append("failed")
            raise ValueError("a bad day")

    return broken


def asleep(world, key: str = "ada") -> JourneyRun:
    somebody = person(user_id=key, email=f"{key}@example.com")
    world.event(somebody, "go", plan="pro")
    world.advance()
    return world.run(somebody)


# --- journeys -------------------------------------------------------------------------------------------------------
def test_the_list_names_every_journey_in_the_order_of_declaration_with_every_key(world, nap, broken):
    asleep(world)
    asleep(world, "ben")
    world.event(world.person("cleo"), "break")
    world.advance()

    answer = get()

    first, second = answer.pop("journeys")
    assert answer == {"total": 2, "limit": 50, "offset": 0}
    assert set(first) == JOURNEY
    assert set(second) == JOURNEY - {"description"}
    assert first | {"counts": None} == {
        "id": "nap",
        "name": "Nap",
        "description": "Sleeps a while.",
        "enabled": True,
        "paused": False,
        "trigger": {"event": "go"},
        "entryLimit": "unlimited",
        "counts": None,
    }
    assert first["counts"] == {"active": 0, "waiting": 2, "completed": 0, "failed": 0, "exited": 0}
    assert second["counts"]["failed"] == 1


def test_the_list_is_shown_page_by_page_and_by_the_flag_that_is_in_force(world, nap, broken):
    set_journey(journey_id="nap", enabled=False)

    def shown(query: str) -> tuple[list[str], int]:
        answer = get(query)
        return [one["id"] for one in answer["journeys"]], answer["total"]

    assert shown("?limit=1") == (["nap"], 2)
    assert shown("?limit=1&offset=1") == (["broken"], 2)
    assert shown("?enabled=true") == (["broken"], 1)
    assert shown("?enabled=false") == (["nap"], 1)
    assert refused(at("GET", "?enabled=maybe"))[0] == 400
    assert refused(at("GET", "?limit=101"))[0] == 400


def test_a_journey_is_answered_with_its_declaration_its_code_and_who_moved_last(world, nap):
    run = asleep(world)
    world.event(world.person("ben"), "go", plan="free")

    body = get("/nap")["journey"]

    assert set(body) == JOURNEY | DETAIL
    pro = {"type": "property", "property": "plan", "operator": "eq", "value": "pro"}
    assert body["trigger"] == {"event": "go", "where": [pro]}
    assert body["exitOn"] == [{"event": "stop"}, {"event": "plan.changed", "where": [pro | {"value": "free"}]}]
    assert (body["suppress"], body["category"]) == ({"hours": 12}, "journey")
    assert body["runsByCode"] == [{"version": 1, "codeHash": nap.code_hash, "live": 1}]
    assert body["skippedIn7Days"] == {"trigger_conditions_not_met": 1}
    assert [state["id"] for state in body["recentStates"]] == [str(run.id)]
    assert set(body["recentStates"][0]) == STATE


def test_reactions_of_buckets_are_journeys_with_a_source(world):
    with buckets.scratch():
        buckets._items.clear()
        bucket = Bucket("trial", name="Trial", criteria=prop("plan").eq("trial"))
        bucket.on("enter")(lambda user, ctx: None)
        declare_reactions()

        [body] = get()["journeys"]

    assert (body["id"], body["sourceBucketId"]) == ("bucket-trial-on-enter", "trial")
    assert body["trigger"] == {"event": "bucket:entered:trial"}


def test_what_does_not_exist_here_is_not_found(world, nap, settings):
    settings.ENABLED_JOURNEYS = frozenset({"other"})

    answers = [at("GET", "/nap"), at("PATCH", "/none", {"enabled": True}), at("GET", "/none/states")]
    answers += [at("POST", "/none/enroll", ADA), at("POST", "/none/enroll/batch", {"users": [ADA]})]

    assert {refused(answer) for answer in answers} == {(404, "Journey not found")}
    assert get()["journeys"] == []


def test_a_journey_is_switched_and_paused_and_says_so(nap):
    off = at("PATCH", "/nap", {"enabled": False}).json()["journey"]
    paused = at("PATCH", "/nap", {"paused": True}).json()["journey"]
    on = at("PATCH", "/nap", {"enabled": True, "paused": False}).json()["journey"]

    assert WHEN.fullmatch(off.pop("updatedAt"))
    assert off == {"id": "nap", "name": "Nap", "enabled": False, "paused": False}
    assert (paused["enabled"], paused["paused"]) == (False, True)
    assert (on["enabled"], on["paused"]) == (True, False)
    assert get("/nap")["journey"]["enabled"] is True


def test_what_the_code_switched_off_stays_off(world):
    @journey(id="off", trigger="go", enabled=False)
    def off(user, ctx): ...

    status, sentence = refused(at("PATCH", "/off", {"enabled": True}))

    assert (status, "in the code" in sentence) == (409, True)
    assert at("PATCH", "/off", {"paused": True}).json()["journey"]["enabled"] is False


@pytest.mark.parametrize("body", [{}, {"enabled": "yes"}, {"paused": 1}, [], {"enabled": None}])
def test_a_switch_that_says_nothing_is_refused_with_what_to_say(nap, body):
    status, sentence = refused(at("PATCH", "/nap", body))

    assert (status, bool(sentence)) == (400, True)


# --- states ---------------------------------------------------------------------------------------------------------
def test_states_say_where_each_run_stands_and_what_it_waits_for(world, nap):
    run = asleep(world)

    answer = get("/nap/states")

    [state] = answer.pop("states")
    assert answer == {"total": 1, "limit": 50, "offset": 0}
    assert set(state) == STATE
    assert (state["userId"], state["userEmail"]) == ("ada", "ada@example.com")
    assert (state["status"], state["currentNodeId"], state["context"]) == ("waiting", "nap", {"plan": "pro"})
    assert state["waitsFor"] == {"kind": "sleep", "label": "nap"}
    assert WHEN.fullmatch(state["waitsUntil"])
    assert state["waitsUntil"][:16] == f"{run.created_at + days(2):%Y-%m-%dT%H:%M}"
    assert (state["completedAt"], state["exitedAt"], state["errorMessage"], state["hatchetRunId"]) == (None,) * 4


def test_states_are_narrowed_by_status_and_by_any_key_of_a_person(world, nap):
    ada = asleep(world).contact
    asleep(world, "ben")
    delete_contact(contact_id=world.run().contact_id, now=database_now())

    def shown(query: str) -> list[str]:
        return [state["userId"] for state in get(f"/nap/states?{query}")["states"]]

    assert shown("") == ["ben", "ada"]
    assert shown("status=exited") == ["ben"]
    assert shown("userId=ada") == shown("userId=ada@example.com") == shown(f"userId={ada.id}") == ["ada"]
    assert shown("userId=nobody") == []
    assert shown("limit=1&offset=1") == ["ada"]
    assert refused(at("GET", "/nap/states?status=lost"))[0] == 400


def test_a_wait_for_an_event_is_told_with_what_the_event_must_be_like(world):
    @journey(id="hope", trigger="hope")
    def hope(user, ctx):
        ctx.wait_for_event("paid", timeout=days(3), where=prop("amount").gt(5), label="pay")

    world.event(world.person(), "hope")
    world.advance()

    [state] = get("/hope/states")["states"]

    where = [{"type": "property", "property": "amount", "operator": "gt", "value": 5}]
    assert state["waitsFor"] == {"kind": "event", "label": "pay", "event": "paid", "where": where}


def test_a_state_comes_with_its_log_in_order(world, nap):
    run = asleep(world)
    world.wake()

    answer = get(f"/nap/states/{run.id}")

    assert answer["state"]["completedAt"] is not None
    assert {frozenset(entry) for entry in answer["logs"]} == {frozenset(LOG)}
    told = [(entry["action"], entry["fromNodeId"], entry["toNodeId"]) for entry in answer["logs"]]
    assert told == [
        ("entered", None, "start"),
        ("send", "start", None),
        ("sleep", "start", "nap"),
        ("resume", "nap", "nap"),
        ("send", "nap", None),
        ("completed", "nap", None),
    ]
    moments = [entry["createdAt"] for entry in answer["logs"]]
    assert moments == sorted(moments)
    assert call("GET", f"journey-logs/{run.id}", scope="read").json() == answer


def test_states_of_a_journey_that_is_gone_are_still_to_be_seen_and_ended(world, nap):
    run = asleep(world)
    JourneyRun.objects.update(journey_id="gone")

    seen = at("GET", f"/gone/states/{run.id}").status_code
    ended = at("DELETE", f"/gone/states/{run.id}").status_code

    assert (seen, ended, world.run().status) == (200, 200, RunStatus.EXITED)


def test_who_is_taken_out_of_a_journey_is_out_and_only_once(world, nap):
    run = asleep(world)

    answer = at("DELETE", f"/nap/states/{run.id}")
    again = refused(at("DELETE", f"/nap/states/{run.id}"))

    state = answer.json()["state"]
    assert WHEN.fullmatch(state.pop("exitedAt"))
    assert state == {"id": str(run.id), "status": "exited", "exitReason": "cancelled by API key console"}
    assert answer.json()["hatchetCancelled"] is True
    assert again[0] == 409
    assert again[1].startswith("Cannot cancel journey in 'exited' status")


def test_a_failed_run_is_retried_and_another_is_not(world, broken, nap):
    world.event(world.person(), "break")
    world.advance()
    run = world.run()
    failed = get(f"/broken/states/{run.id}")["state"]

    retried = post(f"/broken/states/{run.id}/retry")
    world.advance()
    again = refused(at("POST", f"/broken/states/{run.id}/retry"))

    assert (failed["status"], "a bad day" in failed["errorMessage"]) == ("failed", True)
    assert retried["state"]["status"] == "active"
    assert world.run().status == "completed"
    assert again == (409, "Only a failed run can be retried; this one has not failed.")


def test_a_wait_is_skipped_and_the_run_goes_on(world, nap):
    run = asleep(world)

    skipped = post(f"/nap/states/{run.id}/skip-wait")
    world.advance()
    again = refused(at("POST", f"/nap/states/{run.id}/skip-wait"))

    assert skipped["state"]["id"] == str(run.id)
    assert world.sent() == ["hello", "bye"]
    assert again == (409, "This run has ended already; there is no wait to skip.")
    [entry] = [entry for entry in get(f"/nap/states/{run.id}")["logs"] if entry["action"] == "skipped"]
    assert entry["detail"]["by"] == "API key console"


def test_a_state_that_does_not_exist_is_not_found(world, nap, broken):
    run = asleep(world)
    stranger = new_id()

    answers = [at(method, f"/nap/states/{stranger}{path}") for method, path in _each()]
    answers += [at(method, f"/broken/states/{run.id}{path}") for method, path in _each()]

    assert {refused(answer) for answer in answers} == {(404, "State not found")}
    assert refused(call("GET", f"journey-logs/{stranger}")) == (404, "Journey state not found")
    assert world.run().status == "waiting"


def _each() -> list[tuple[str, str]]:
    return [("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/skip-wait")]


# --- letting people in ----------------------------------------------------------------------------------------------
def test_somebody_unknown_is_created_and_let_in_and_nothing_else_starts(world, nap):
    @journey(id="other", trigger="go")
    def other(user, ctx): ...

    answer = post("/nap/enroll", ADA | {"properties": {"plan": "trial", "nested": {"a": 1}}})

    run = world.run()
    assert answer == {
        "status": 202,
        "event": "go",
        "userId": "ada",
        "enrolled": True,
        "result": "enrolled",
        "reason": None,
        "message": "They are in the journey now; a worker begins with it at once.",
        "stateId": str(run.id),
    }
    assert (run.contact.external_id, run.contact.email, run.context) == ("ada", "ada@example.com", {"plan": "trial"})
    assert (JourneyRun.objects.count(), Event.objects.count()) == (1, 0)
    assert get(f"/nap/states/{run.id}")["logs"][0]["detail"]["by"] == "API key console"


def test_who_does_not_enter_is_told_why(world, nap):
    dora()
    post("/nap/enroll", ADA)

    twice, never = post("/nap/enroll", ADA), post("/nap/enroll", {"userId": "dora"})
    set_journey(journey_id="nap", enabled=False)
    off = post("/nap/enroll", {"userId": "ben"})

    assert [(one["status"], one["enrolled"], one["stateId"]) for one in (twice, never, off)] == [(200, False, None)] * 3
    assert [one["result"] for one in (twice, never, off)] == ["already_active", "unsubscribed", "disabled"]
    assert off["reason"] == "journey_disabled_by_admin"


def test_an_address_fills_a_gap_and_changes_nobody(world, nap):
    person(user_id="ada", email="ada@example.com")
    person(user_id="cleo")

    post("/nap/enroll", ADA | {"userEmail": "new@example.com"})
    post("/nap/enroll", {"userId": "cleo", "userEmail": "cleo@example.com"})

    addresses = dict(Contact.objects.values_list("external_id", "email"))
    assert addresses == {"ada": "ada@example.com", "cleo": "cleo@example.com"}


def test_people_are_named_by_any_key_that_the_wire_gives(world, nap):
    known = ben()

    post("/nap/enroll", {"userId": str(known.id)})

    assert world.run().contact_id == known.id
    assert Contact.objects.count() == 1


def test_many_are_let_in_at_once_and_each_is_answered_in_order(world, nap):
    users = [ADA, {"userId": "ben"}, ADA]

    answer = post("/nap/enroll/batch", {"users": users})

    assert (answer["enrolled"], answer["skipped"]) == (2, 1)
    told = [(one["userId"], one["enrolled"], one["result"]) for one in answer["results"]]
    assert told == [("ada", True, "enrolled"), ("ben", True, "enrolled"), ("ada", False, "already_active")]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"userEmail": "ada@example.com"}, ["userId"]),
        ({"userId": " "}, ["userId"]),
        ({"userId": "ada", "userEmail": "nonsense"}, ["userEmail"]),
        ({"userId": "ada", "properties": []}, ["properties"]),
        ({"userId": "a" * 256}, ["userId"]),
    ],
)
def test_who_is_not_named_rightly_is_refused_with_the_field(world, nap, body, path):
    single, batch = at("POST", "/nap/enroll", body), at("POST", "/nap/enroll/batch", {"users": [ADA, body]})

    assert [single.status_code, batch.status_code] == [400, 400]
    assert single.json()["details"][0]["path"] == path
    assert batch.json()["details"][0]["path"] == ["users", 1, *path]
    assert not JourneyRun.objects.exists()


@pytest.mark.parametrize("size", [0, 501])
def test_a_batch_names_one_to_five_hundred(nap, size):
    assert refused(at("POST", "/nap/enroll/batch", {"users": [ADA] * size}))[0] == 400


# --- who may --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("ingest", 403), ("read", 200), ("full-admin", 200)])
def test_whoever_may_read_sees(nap, path, scope, status):
    found = at("GET", path, scope=scope).status_code

    assert found == (404 if status == 200 and SOMEBODY in path else status)


@pytest.mark.parametrize(("method", "path", "body"), ACTING)
@pytest.mark.parametrize("scope", [None, "ingest", "read", "journey-admin"])
def test_only_who_may_act_acts(nap, method, path, body, scope):
    status = at(method, path, body, scope=scope).status_code

    if scope == "journey-admin":
        assert status in {200, 202, 404}
    else:
        assert status == (401 if scope is None else 403)


def test_the_number_of_statements_does_not_grow_with_journeys_or_runs(world, nap, broken):
    def statements(path: str) -> int:
        get(path)
        with CaptureQueriesContext(connection) as seen:
            get(path)
        return len(seen)

    asleep(world)
    before = [statements(path) for path in ("", "/nap", "/nap/states")]
    for name in ("ben", "cleo", "dora"):
        asleep(world, name)
        journey(id=name, trigger=name)(lambda user, ctx: None)

    assert [statements(path) for path in ("", "/nap", "/nap/states")] == before
