"""The operators' API of buckets, as programs and people at a console meet it."""

import json
import re
import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from buckets.actions import begin_backfill, run_backfill, set_enabled
from buckets.definitions import Bucket, registry
from buckets.models import Backfill, BucketConfig, BucketMembership
from buckets.overview import stays
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact, merge_contacts
from contacts.models import Contact
from events.models import Event
from hogsend.api.keys import create_key
from journeys.definitions import journey
from journeys.definitions import registry as journeys
from journeys.reactions import declare_reactions
from tests.integration.buckets.scene import DAY, HOUR, NOW, WEEK, does, inside, settled
from tests.people import ada, ben, cleo

TRIAL = prop("plan").eq("trial")
LAPSED = event("active").exists() & event("active").within(WEEK).never()
BUCKET = {"id", "name", "description", "enabled", "kind", "timeBased", "entryLimit", "counts"}
ADDED = {"state", "criteriaInWords", "lastFollowedAt", "backfill"}
DETAIL = {"criteria", "fastExpiry", "syncToPostHog", "feedsJourneys", "recentMembers"}
MEMBER = {
    *("id", "userId", "userEmail", "bucketId", "status", "enteredAt", "leftAt", "expiresAt", "lastEvaluatedAt"),
    *("entryCount", "source", "context", "createdAt", "updatedAt"),
    *("contactId", "leaveReason", "maxDwellAt"),
}
BACKFILL = {
    *("id", "bucketId", "mode", "status", "total", "processed", "joined", "left", "error"),
    *("createdAt", "progressedAt", "finishedAt"),
}
REPORT = {"id", "bucketId", "people", "missing", "surplus", "repaired", "startedAt", "finishedAt"}
PREVIEW = {"size", "peopleTotal", "isEstimate", "note", "inWords", "faults", "cost", "tookMs", "sample"}
CROWD = """
    with people as (
        insert into contacts_contact (id, properties, first_seen_at, last_seen_at, created_at, updated_at)
        select gen_random_uuid(), '{}', now(), now(), now(), now() from generate_series(1, 10000)
        returning id
    )
    insert into buckets_bucketmembership
        (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason, left_at)
    select hogsend_uuid7(), p.id, bucket_id, case when n % 2 = 0 then 'active' else 'left' end, 1, 'event',
           now() - n * interval '1 minute', '', case when n % 2 = 1 then now() end
    from (select id, row_number() over () as n from people) p, unnest(array['crowd', 'other', 'third']) bucket_id"""
ROUTES = [
    ("GET", "", None),
    ("GET", "/b", None),
    ("GET", "/b/members", None),
    ("GET", "/b/backfills", None),
    ("PATCH", "/b", {"enabled": True}),
    ("POST", "/b/backfill", None),
    ("POST", "/b/verify", {}),
    ("POST", "/preview", {"criteria": TRIAL.as_data()}),
]
READING = [route for route in ROUTES if route[0] == "GET"]
ACTING = [route for route in ROUTES if route[0] != "GET"]
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def call(method: str, path: str, body: object = None, *, scope: str | None = "full-admin"):
    headers = {"Authorization": f"Bearer {create_key(name='staff', scopes=[scope])[1]}"} if scope else {}
    sent = b"" if body is None else json.dumps(body).encode()
    return Client().generic(method, f"/v1/admin/buckets{path}", sent, content_type="application/json", headers=headers)


def get(path: str = "", **more) -> dict:
    response = call("GET", path, **more)
    assert response.status_code == 200, response.content
    return response.json()


def refused(response) -> tuple[int, str]:
    assert set(response.json()) <= {"error", "details"}
    return response.status_code, response.json()["error"]


def declare(bucket_id: str = "b", criteria=TRIAL, **more) -> Bucket:
    return Bucket(bucket_id, **{"name": bucket_id.upper(), "criteria": criteria, **more})


def judged(*given, **more) -> Bucket:
    bucket = declare(*given, **more)
    run_backfill(bucket, now=NOW - 30 * DAY)
    return bucket


def people(path: str) -> list[str]:
    return [member["userId"] for member in get(path)["members"]]


pytestmark = pytest.mark.django_db


# --- the list -------------------------------------------------------------------------------------------------------
def test_the_list_names_every_bucket_in_the_order_of_declaration_with_every_key():
    settled(declare("new", description="On trial.", entry_limit="once"))
    judged("lapsed", LAPSED, time_based=True)
    does("ada", "ben", plan="trial")
    does("ben", at=NOW + HOUR, plan="paid")

    answer = get()

    assert [set(one) for one in answer.pop("buckets")] == [BUCKET | ADDED, (BUCKET | ADDED) - {"description"}]
    assert answer == {"total": 2, "limit": 50, "offset": 0}
    first, second = get()["buckets"]
    assert first == {
        "id": "new",
        "name": "NEW",
        "description": "On trial.",
        "enabled": True,
        "kind": "dynamic",
        "timeBased": False,
        "entryLimit": "once",
        "counts": {"active": 1, "left": 1},
        "state": "on",
        "criteriaInWords": "plan is “trial”",
        "lastFollowedAt": None,
        "backfill": None,
    }
    assert (second["timeBased"], second["backfill"]) == (True, {"status": "done", "total": 0, "processed": 0})


def test_windows_alone_do_not_make_a_bucket_time_based_on_the_wire():
    declare(criteria=LAPSED)
    declare("stiff", criteria=LAPSED, time_based=False)
    assert [one["timeBased"] for one in get()["buckets"]] == [False, False]


def test_the_list_is_shown_page_by_page_and_by_the_flag_that_is_in_force():
    for name in "abc":
        settled(declare(name))
    declare("d", enabled=False)
    set_enabled(declare("e"), enabled=False, now=NOW)

    def shown(query: str) -> tuple[str, int]:
        answer = get(query)
        return "".join(one["id"] for one in answer["buckets"]), answer["total"]

    assert shown("?limit=2") == ("ab", 5)
    assert shown("?limit=2&offset=3") == ("de", 5)
    assert shown("?offset=9") == ("", 5)
    assert shown("?enabled=true&limit=2") == ("ab", 3)
    assert shown("?enabled=false") == ("de", 2)
    assert [one["state"] for one in get("?enabled=false")["buckets"]] == ["off", "off"]


def test_a_bucket_that_is_left_out_here_is_in_no_list_and_not_found(settings):
    declare("here")
    declare("elsewhere")
    settings.ENABLED_BUCKETS = frozenset({"here"})
    assert [one["id"] for one in get()["buckets"]] == ["here"]
    assert refused(call("GET", "/elsewhere")) == (404, "Bucket not found")


def test_the_list_asks_the_database_as_often_however_many_buckets_there_are(django_assert_max_num_queries):
    for place in range(40):
        declare(f"b{place}")
    get()  # the key's use is noted
    with django_assert_max_num_queries(8):
        get()


# --- one bucket -----------------------------------------------------------------------------------------------------
def test_the_detail_adds_the_declaration_with_every_key():
    settled(
        declare(
            criteria=LAPSED,
            entry_limit="once_per_period",
            entry_period=7 * DAY,
            min_dwell=timedelta(minutes=90),
            max_dwell=14 * DAY,
            fast_expiry=True,
            sync_to_posthog=True,
        )
    )

    bucket = get("/b")["bucket"]

    assert set(bucket) == (BUCKET | ADDED | DETAIL | {"entryPeriod", "minDwell", "maxDwell"}) - {"description"}
    assert (bucket["entryPeriod"], bucket["minDwell"], bucket["maxDwell"]) == (
        {"hours": 168},
        {"minutes": 90},
        {"hours": 336},
    )
    assert (bucket["fastExpiry"], bucket["syncToPostHog"]) == (True, True)
    assert bucket["criteria"] == {
        "type": "composite",
        "operator": "and",
        "conditions": [
            {"type": "event", "eventName": "active", "check": "exists"},
            {"type": "event", "eventName": "active", "check": "not_exists", "within": {"hours": 168}},
        ],
    }


def test_what_is_not_declared_is_not_in_the_detail():
    declare()
    assert set(get("/b")["bucket"]) == (BUCKET | ADDED | DETAIL) - {"description"}


def test_the_ten_who_came_last_are_shown():
    settled(declare())
    for place in range(12):
        does(f"p{place}", at=NOW + place * HOUR, plan="trial")
    does("p11", at=NOW + DAY, plan="paid")
    recent = get("/b")["bucket"]["recentMembers"]
    assert [one["userId"] for one in recent] == [f"p{place}" for place in range(10, 0, -1)]
    assert {frozenset(one) for one in recent} == {frozenset(MEMBER)}


def test_the_journeys_that_it_feeds_are_named_once_its_own_first():
    def run(user, ctx):
        pass

    with journeys.scratch():
        journeys._items.clear()
        for name, trigger in [
            ("any", "bucket:entered"),
            ("gone", "bucket:left:b"),
            ("gift", "bucket:entered:b"),
            ("other", "bucket:entered:c"),
            ("any-gone", "bucket:left"),
        ]:
            journey(id=name, trigger=trigger, name=name.title())(run)
        declare().on("enter", run).on("dwell", run, after=DAY)
        declare("c").on("enter", run)
        declare_reactions()
        fed = get("/b")["bucket"]["feedsJourneys"]
    assert fed[0] == {
        "id": "bucket-b-on-enter",
        "name": "B — on enter",
        "trigger": "bucket:entered:b",
        "sourceBucketId": "b",
        "owned": True,
    }
    assert [(one["id"], one["trigger"], one["sourceBucketId"], one["owned"]) for one in fed[1:]] == [
        ("bucket-b-on-dwell-after-86400000", "bucket:dwell:b:after-86400000", "b", True),
        ("gift", "bucket:entered:b", None, False),
        ("gone", "bucket:left:b", None, False),
        ("any", "bucket:entered", None, False),
        ("any-gone", "bucket:left", None, False),
    ]


def test_its_state_says_whether_everybody_was_judged():
    bucket = declare()
    assert get("/b")["bucket"]["state"] == "backfill"
    begin_backfill(bucket, now=NOW)
    assert get("/b")["bucket"]["backfill"] == {"status": "running", "total": 0, "processed": 0}
    run_backfill(bucket, now=NOW)
    assert get("/b")["bucket"]["state"] == "on"
    BucketConfig.objects.update(criteria_hash="of others")
    assert get("/b")["bucket"]["state"] == "backfill"
    set_enabled(bucket, enabled=False, now=NOW)
    assert get("/b")["bucket"]["state"] == "off"


def test_it_says_until_when_its_clock_was_followed():
    settled(declare())
    BucketConfig.objects.update(followed_at=NOW)
    assert get("/b")["bucket"]["lastFollowedAt"] == "2026-03-01T12:00:00.000Z"


def test_a_bucket_may_be_called_preview():
    declare("preview")
    assert get("/preview")["bucket"]["id"] == "preview"
    assert call("PATCH", "/preview", {"enabled": False}).json()["bucket"]["enabled"] is False


@pytest.mark.parametrize(("method", "path", "body"), [one for one in ROUTES if one[1].startswith("/b")])
def test_a_bucket_that_does_not_exist_is_not_found(method, path, body):
    assert refused(call(method, path.replace("/b", "/nobody", 1), body)) == (404, "Bucket not found")


# --- the switch -----------------------------------------------------------------------------------------------------
def test_a_bucket_that_is_switched_off_moves_nobody_and_on_again_judges_everybody():
    judged()
    does("ada", plan="trial")

    off = call("PATCH", "/b", {"enabled": False}).json()["bucket"]

    assert set(off) == {"id", "name", "enabled", "updatedAt"}
    assert (off["id"], off["name"], off["enabled"]) == ("b", "B", False)
    assert WHEN.fullmatch(off["updatedAt"])
    does("ben", at=NOW + HOUR, plan="trial")
    assert inside() == {"ada"}
    assert call("PATCH", "/b", {"enabled": True}, scope="journey-admin").json()["bucket"]["enabled"] is True
    assert Backfill.objects.latest("created_at").status == "running"


def test_what_the_code_switches_off_the_api_does_not_switch_on():
    declare(enabled=False)
    status, sentence = refused(call("PATCH", "/b", {"enabled": True}))
    assert (status, "switch it on in the code" in sentence) == (409, True)
    assert not BucketConfig.objects.exists()
    assert call("PATCH", "/b", {"enabled": False}).json()["bucket"]["enabled"] is False


@pytest.mark.parametrize("body", [None, {}, {"enabled": None}, {"enabled": "no"}, {"enabled": 1}, [], "x"])
def test_a_switch_that_says_neither_on_nor_off_is_refused(body):
    declare()
    status, sentence = refused(call("PATCH", "/b", body))
    assert (status, bool(sentence)) == (400, True)
    assert not BucketConfig.objects.exists()


# --- members --------------------------------------------------------------------------------------------------------
def test_a_member_has_every_key():
    settled(declare(max_dwell=14 * DAY))
    contact = ada()
    does("ada", plan="trial")

    answer = get("/b/members")

    [member] = answer.pop("members")
    assert answer == {"total": 1, "limit": 50, "offset": 0}
    assert set(member) == MEMBER
    assert UUID(member["id"]) == BucketMembership.objects.get().pk
    assert {name: value for name, value in member.items() if name != "id"} == {
        "userId": "ada",
        "userEmail": "ada@example.com",
        "contactId": str(contact.pk),
        "bucketId": "b",
        "status": "active",
        "enteredAt": "2026-03-01T12:00:00.000Z",
        "leftAt": None,
        "leaveReason": None,
        "expiresAt": None,
        "maxDwellAt": "2026-03-15T12:00:00.000Z",
        "lastEvaluatedAt": None,
        "entryCount": 1,
        "source": "event",
        "context": {},
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
    }


def test_who_is_kept_by_the_shortest_stay_has_a_time_at_which_it_ends():
    settled(declare(min_dwell=DAY))
    does("ada", plan="trial")
    does("ada", at=NOW + HOUR, plan="paid")
    [member] = get("/b/members")["members"]
    assert (member["status"], member["expiresAt"]) == ("active", "2026-03-02T12:00:00.000Z")


def test_those_who_are_in_come_first_and_those_who_left_are_asked_for():
    settled(declare())
    for place, person in enumerate(["ada", "ben", "cleo"]):
        does(person, at=NOW + place * HOUR, plan="trial")
    does("ben", at=NOW + DAY, plan="paid")
    does("ben", at=NOW + 2 * DAY, plan="trial")
    does("ada", at=NOW + 3 * DAY, plan="paid")

    assert people("/b/members") == ["ben", "cleo"]
    left = get("/b/members?status=left")["members"]
    assert [(one["userId"], one["status"], one["leftAt"], one["leaveReason"]) for one in left] == [
        ("ben", "left", "2026-03-02T12:00:00.000Z", "criteria"),
        ("ada", "left", "2026-03-04T12:00:00.000Z", "criteria"),
    ]
    assert (left[0]["updatedAt"], left[0]["entryCount"]) == (left[0]["leftAt"], 1)
    assert get("/b/members")["members"][0]["entryCount"] == 2


def test_pages_of_members_show_each_once_and_how_many_there_are():
    settled(declare())
    does(*(f"p{place}" for place in range(5)), plan="trial")
    pages = [get(f"/b/members?limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert [len(page["members"]) for page in pages] == [2, 2, 1, 0]
    assert {(page["total"], page["limit"]) for page in pages} == {(5, 2)}
    assert len({member["id"] for page in pages for member in page["members"]}) == 5


def test_a_person_is_found_by_every_key_they_were_ever_known_by():
    settled(declare())
    known, visitor, mailed = ada(plan="trial"), cleo(plan="trial"), ben(plan="trial")
    merge_contacts(survivor_id=known.pk, absorbed_id=visitor.pk, actor="staff", now=NOW)
    run_backfill(declare("all"), now=NOW)
    for key in ("ada", "%20ada%20", "cleo-visit", "ADA@example.com", str(known.pk), str(visitor.pk)):
        assert people(f"/all/members?userId={key}") == ["ada"]
    assert people("/all/members?userId=ben%40example.com") == [str(mailed.pk)]
    assert get("/all/members?userId=nobody") == {"members": [], "total": 0, "limit": 50, "offset": 0}


def test_somebody_who_was_deleted_is_found_by_our_own_id_among_those_who_left():
    settled(declare())
    does("ada", plan="trial")
    gone = Contact.objects.get()
    delete_contact(contact_id=gone.pk, now=NOW + HOUR)
    assert people("/b/members") == []
    assert people(f"/b/members?status=left&userId={gone.pk}") == ["ada"]
    assert people("/b/members?status=left&userId=ada") == []


def test_members_are_counted_and_shown_by_index_however_many_there_are():
    with connection.cursor() as cursor:
        cursor.execute(CROWD)
        cursor.execute("analyze buckets_bucketmembership")
    for status, index in (("active", "membership_active"), ("left", "membership_left")):
        with CaptureQueriesContext(connection) as asked:
            assert stays("crowd", status=status).count() == 5000
        with connection.cursor() as cursor:
            cursor.execute(f"explain {asked[0]['sql']}")
            assert index in "".join(line for (line,) in cursor.fetchall())
        assert "membership_latest" in stays("crowd", status=status)[:50].explain()


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=x", "limit=", "limit=1.5", "limit=%D9%A3"])
@pytest.mark.parametrize("path", ["", "/b/members", "/b/backfills"])
def test_a_limit_that_is_none_is_refused(path, query):
    declare()
    assert refused(call("GET", f"{path}?{query}")) == (400, "limit must be a whole number between 1 and 100.")


@pytest.mark.parametrize(
    ("path", "query", "sentence"),
    [
        ("", "offset=-1", "offset must be a whole number between 0 and 1000000000."),
        ("", "offset=99999999999999999999", "offset must be a whole number between 0 and 1000000000."),
        ("", "enabled=yes", "enabled must be true or false."),
        ("/b/members", "status=gone", "status must be active or left."),
        ("/b/members", "userId=", "userId is empty; say who is looked for, or leave it out."),
    ],
)
def test_another_wrong_parameter_is_refused_with_what_it_may_be(path, query, sentence):
    declare()
    answer = call("GET", f"{path}?{query}")
    assert refused(answer) == (400, sentence)
    [detail] = answer.json()["details"]
    assert detail == {"path": [query.partition("=")[0]], "code": "invalid", "message": sentence}


# --- backfills ------------------------------------------------------------------------------------------------------
def test_a_backfill_is_begun_and_answered_as_it_stands():
    declare()
    does("ada", plan="trial")

    answer = call("POST", "/b/backfill", scope="journey-admin")

    row = answer.json()["backfill"]
    assert (answer.status_code, set(row)) == (202, BACKFILL)
    assert (row["mode"], row["status"], row["total"], row["processed"]) == ("first", "running", 1, 0)
    assert (row["error"], row["finishedAt"]) == (None, None)
    assert call("POST", "/b/backfill").json()["backfill"]["id"] == row["id"]


def test_a_backfill_says_why_everybody_is_judged():
    modes = []
    for criteria in (TRIAL, TRIAL, LAPSED):
        registry._items.clear()
        bucket = declare(criteria=criteria)
        modes.append(call("POST", "/b/backfill").json()["backfill"]["mode"])
        run_backfill(bucket, now=NOW)
    assert modes == ["first", "again", "changed"]


def test_the_backfills_of_a_bucket_are_listed_the_newest_first():
    bucket = judged()
    judged("other")
    run_backfill(bucket, now=NOW)
    answer = get("/b/backfills?limit=1")
    [row] = answer["backfills"]
    assert ({**answer, "backfills": []}) == {"backfills": [], "total": 2, "limit": 1, "offset": 0}
    assert (set(row), row["mode"], row["status"]) == (BACKFILL, "again", "done")
    assert row["finishedAt"] == "2026-03-01T12:00:00.000Z"
    assert [one["mode"] for one in get("/b/backfills?offset=1")["backfills"]] == ["first"]


def test_a_bucket_that_is_off_gets_no_backfill():
    declare("coded", enabled=False)
    set_enabled(declare("staffed"), enabled=False, now=NOW)
    coded, staffed = refused(call("POST", "/coded/backfill")), refused(call("POST", "/staffed/backfill"))
    assert (coded[0], "in the code" in coded[1]) == (409, True)
    assert (staffed[0], "switch it on in the admin" in staffed[1]) == (409, True)
    assert not Backfill.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_begin_one_backfill():
    declare()
    start, answers = threading.Barrier(4), []

    def ask() -> None:
        try:
            start.wait(10)
            answers.append(call("POST", "/b/backfill"))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [202] * 4
    assert {answer.json()["backfill"]["id"] for answer in answers} == {str(Backfill.objects.get().pk)}


# --- verifications --------------------------------------------------------------------------------------------------
def go_astray() -> None:
    """Write past the engine: ben belongs and is out."""
    does("ada", at=NOW, plan="trial")
    does("ben", at=NOW, plan="paid")
    Contact.objects.filter(external_id="ben").update(properties={"plan": "trial"})


@pytest.mark.parametrize("body", [None, {}, {"repair": False}, {"repair": None}])
def test_a_verification_only_reports_unless_it_is_told_to_repair(body):
    judged()
    go_astray()
    answer = call("POST", "/b/verify", body, scope="journey-admin")
    report = answer.json()["verification"]
    assert (answer.status_code, set(report)) == (200, REPORT)
    assert [report[name] for name in ("people", "missing", "surplus", "repaired")] == [2, 1, 0, 0]
    assert inside() == {"ada"}


def test_a_verification_that_repairs_moves_who_is_astray_and_tells_of_it():
    judged()
    go_astray()
    report = call("POST", "/b/verify", {"repair": True}).json()["verification"]
    assert (report["missing"], report["repaired"]) == (1, 1)
    assert inside() == {"ada", "ben"}
    assert Event.objects.filter(name="bucket:entered:b").count() == 2


def test_what_cannot_be_verified_says_why():
    declare()
    status, sentence = refused(call("POST", "/b/verify"))
    assert (status, "wait for its backfill" in sentence) == (409, True)


@pytest.mark.parametrize("body", [[], {"repair": "yes"}, "x"])
def test_a_verification_of_another_shape_is_refused(body):
    judged()
    assert refused(call("POST", "/b/verify", body))[0] == 400


# --- previews -------------------------------------------------------------------------------------------------------
def test_a_preview_counts_and_names_those_who_would_be_in():
    contact = ada(plan="trial", secret="x")
    ben(plan="paid")

    answer = call("POST", "/preview", {"criteria": TRIAL.as_data(), "sample": 5}, scope="journey-admin")

    found = answer.json()
    assert (answer.status_code, set(found)) == (200, PREVIEW)
    assert (found["size"], found["peopleTotal"], found["isEstimate"], found["note"]) == (1, 2, False, None)
    assert (found["inWords"], found["faults"]) == ("plan is “trial”", [])
    assert found["cost"] > 0
    assert found["tookMs"] >= 0
    assert found["sample"] == [
        {"id": str(contact.pk), "userId": "ada", "userEmail": "ada@example.com", "properties": {"plan": "trial"}}
    ]
    assert not BucketMembership.objects.exists()


def test_a_preview_names_ten_or_as_many_as_are_asked_for():
    does(*(f"p{place}" for place in range(12)), plan="trial")
    sizes = [
        len(call("POST", "/preview", {"criteria": TRIAL.as_data(), **more}).json()["sample"])
        for more in ({}, {"sample": None}, {"sample": 0}, {"sample": 100})
    ]
    assert sizes == [10, 10, 0, 12]


def test_criteria_that_no_bucket_can_have_are_previewed_with_the_reason():
    found = call("POST", "/preview", {"criteria": prop("plan").not_exists().as_data()}).json()
    assert (found["size"], len(found["faults"])) == (0, 1)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["criteria"]),
        ({"criteria": None}, ["criteria"]),
        ({"criteria": {"type": "zodiac"}}, ["criteria"]),
        ({"criteria": {"type": "composite", "operator": "and", "conditions": []}}, ["criteria"]),
        ({"criteria": {"type": "property", "property": "a", "operator": "gt", "value": "b"}}, ["criteria"]),
        ({"criteria": {"type": "property", "property": "a\ud800", "operator": "exists"}}, None),
        ({"criteria": TRIAL.as_data(), "sample": 101}, ["sample"]),
        ({"criteria": TRIAL.as_data(), "sample": -1}, ["sample"]),
        ({"criteria": TRIAL.as_data(), "sample": "1"}, ["sample"]),
        ([], []),
    ],
)
def test_a_preview_of_nothing_that_means_something_is_refused(body, path):
    answer = call("POST", "/preview", body)
    assert refused(answer)[0] == 400
    assert path is None or answer.json()["details"][0]["path"] == path


# --- who may --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_a_key_and_with_one_that_only_ingests_nothing_is_answered(method, path, body):
    declare()
    assert refused(call(method, path, body, scope=None)) == (401, "Unauthorized")
    assert refused(call(method, path, body, scope="ingest")) == (403, "Forbidden: insufficient scope")


@pytest.mark.parametrize(("method", "path", "body"), READING)
@pytest.mark.parametrize("scope", ["read", "journey-admin", "full-admin"])
def test_whoever_may_read_may_look(method, path, body, scope):
    declare()
    assert call(method, path, body, scope=scope).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), ACTING)
def test_whoever_may_only_read_changes_nothing(method, path, body):
    judged()
    assert refused(call(method, path, body, scope="read")) == (403, "Forbidden: insufficient scope")
    assert call(method, path, body, scope="journey-admin").status_code in {200, 202}


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/b"), ("POST", ""), ("GET", "/b/verify"), ("PUT", "/b"), ("POST", "/b/members")]
)
def test_another_method_is_refused_with_the_right_ones(method, path):
    declare()
    status, sentence = refused(call(method, path))
    assert (status, "; use " in sentence) == (405, True)


def test_the_operators_have_a_limit_of_their_own(settings):
    settings.HOGSEND_RATE_LIMITS = {**settings.HOGSEND_RATE_LIMITS, "admin": 1}
    headers = {"Authorization": f"Bearer {create_key(name='staff', scopes=['read'])[1]}"}
    first, second = (Client().get("/v1/admin/buckets", headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert (second.headers["X-RateLimit-Limit"], second.headers["Retry-After"].isdecimal()) == ("1", True)
