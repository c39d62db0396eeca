"""How buckets grow and shrink, against a plain count of their stays."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from buckets.definitions import Bucket
from buckets.models import BucketDay, BucketMembership
from conditions.property import prop
from contacts.models import Contact
from hogsend.api.keys import create_key
from hogsend.clock import database_now
from tests.integration.buckets.scene import DAY, HOUR

pytestmark = pytest.mark.django_db

NO_MOMENT = "must be an ISO 8601 time with an offset, like 2026-01-31T12:00:00Z; in an address + is written %2B."


@pytest.fixture(autouse=True)
def bucket(_nothing_declared) -> Bucket:
    return declare("b")


def declare(bucket_id: str) -> Bucket:
    return Bucket(bucket_id, name=bucket_id.upper(), criteria=prop("plan").eq("trial"))


def ask(path: str = "", *, scope: str | None = "read", **query: str):
    headers = {"Authorization": f"Bearer {create_key(name='staff', scopes=[scope])[1]}"} if scope else {}
    return Client().get(f"/v1/admin/metrics/buckets{path}", query, headers=headers)


def points(**query: str) -> list[dict]:
    answer = ask("/b", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()["points"]


def stays(*spans: tuple[datetime, datetime | None], bucket_id: str = "b") -> None:
    """Let somebody new stay for each span."""
    for came, went in spans:
        who = Contact.objects.create(first_seen_at=came, last_seen_at=came)
        status = "active" if went is None else "left"
        BucketMembership.objects.create(
            contact=who, bucket_id=bucket_id, source="event", entered_at=came, left_at=went, status=status
        )


def midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def wire(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000Z"


def recounted(spans, since: date, days: int) -> list[dict]:
    """Count in memory who came and went each day, and how many were in at its end."""
    found = []
    for day in (since + n * DAY for n in range(days)):
        came = sum(start.date() == day for start, _ in spans)
        gone = sum(stop is not None and stop.date() == day for _, stop in spans)
        size = sum(start.date() <= day and (stop is None or stop.date() > day) for start, stop in spans)
        found.append({"date": wire(day), "entered": came, "left": gone, "size": size})
    return found


def random_spans(now: datetime, number: int, seed: int) -> list[tuple[datetime, datetime | None]]:
    dice = random.Random(seed)
    spans = []
    for _ in range(number):
        came = now - timedelta(seconds=dice.randrange(60 * 86_400))
        went = came + timedelta(seconds=dice.randrange(40 * 86_400))
        spans.append((came, went if went < now else None))
    return spans


@pytest.mark.parametrize("seed", range(3))
def test_the_points_of_a_bucket_add_up_to_what_its_stays_say(seed):
    now = database_now()
    spans = random_spans(now, 80, seed)
    stays(*spans)
    since = midnight(now) - 64 * DAY

    answer = ask("/b", **{"from": since.isoformat()}).json()

    assert answer["points"] == recounted(spans, since.date(), 65)
    inside = sum(stop is None for _, stop in spans)
    assert (answer["bucketId"], answer["size"], answer["points"][-1]["size"]) == ("b", inside, inside)
    [known] = ask().json()["buckets"]
    assert sum(point["entered"] for point in answer["points"]) == known["entered"] == 80
    assert sum(point["left"] for point in answer["points"]) == known["left"] == 80 - inside


@pytest.mark.parametrize("period", ["week", "month"])
def test_weeks_and_months_add_up_to_the_days(period):
    now = database_now()
    stays(*random_spans(now, 60, 7))
    span = {"from": (now - 70 * DAY).isoformat(), "to": now.isoformat()}
    days, found = points(**span), points(**span, period=period)

    def begin(day: dict) -> str:
        start = date.fromisoformat(day["date"][:10])
        return wire(start - start.weekday() * DAY if period == "week" else start.replace(day=1))

    assert [one["date"] for one in found] == list(dict.fromkeys(map(begin, days)))
    for one in found:
        within = [day for day in days if begin(day) == one["date"]]
        assert (one["entered"], one["left"]) == (
            sum(day["entered"] for day in within),
            sum(day["left"] for day in within),
        )
        assert one["size"] == within[-1]["size"]


def test_every_key_of_a_point_and_of_a_bucket_is_there():
    now = database_now()
    stays((now - 3 * HOUR, now - HOUR), (now - 2 * HOUR, now - HOUR))
    declare("quiet")

    listed = ask().json()

    assert listed == {
        "buckets": [
            {"bucketId": "b", "name": "B", "size": 0, "entered": 2, "left": 2, "avgDwellSecs": 5400},
            {"bucketId": "quiet", "name": "QUIET", "size": 0, "entered": 0, "left": 0, "avgDwellSecs": None},
        ]
    }
    one = ask("/b").json()
    assert set(one) == {"bucketId", "size", "points"}
    assert {frozenset(point) for point in one["points"]} == {frozenset({"date", "entered", "left", "size"})}


def test_stays_that_go_on_count_in_the_average():
    now = database_now()
    stays((now - 4 * HOUR, now - 2 * HOUR), (now - 4 * HOUR, None))
    assert ask().json()["buckets"][0]["avgDwellSecs"] == pytest.approx(3 * 3600, abs=30)


def test_a_move_of_this_moment_is_counted_already_and_asking_again_changes_nothing():
    stays((database_now(), None))
    first = ask("/b").json()
    assert (first["size"], first["points"][-1]["entered"], first["points"][-1]["size"]) == (1, 1, 1)
    assert ask("/b").json() == first
    assert BucketDay.objects.count() == 1


def test_the_last_thirty_days_are_usual_without_a_gap():
    today = midnight(database_now()).date()
    found = points()
    assert [point["date"] for point in found] == [wire(today - (30 - n) * DAY) for n in range(31)]
    assert {(point["entered"], point["left"], point["size"]) for point in found} == {(0, 0, 0)}


@pytest.mark.parametrize(
    ("since", "until", "first", "last", "number"),
    [
        ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-03-01", "2026-03-31", 31),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01", "2026-03-01", 1),
        ("2026-03-01T23:30:00-02:00", "2026-03-03T12:00:00.000Z", "2026-03-02", "2026-03-03", 2),
        ("2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2024-01-01", "2025-12-31", 731),
    ],
)
def test_days_are_those_of_utc_and_one_that_begins_at_the_end_is_not_meant(since, until, first, last, number):
    with connection.cursor() as cursor:
        cursor.execute("set local time zone 'America/New_York'")
    found = points(**{"from": since, "to": until})
    assert (found[0]["date"], found[-1]["date"], len(found)) == (
        f"{first}T00:00:00.000Z",
        f"{last}T00:00:00.000Z",
        number,
    )


def test_thirty_days_before_the_end_are_meant_when_only_the_end_is_said():
    found = points(to="2026-03-31T12:00:00Z")
    assert (found[0]["date"], len(found)) == ("2026-03-01T00:00:00.000Z", 31)


def test_days_that_are_to_come_have_no_points():
    now = database_now()
    assert len(points(**{"from": (now - DAY).isoformat(), "to": (now + 9 * DAY).isoformat()})) == 2
    assert points(**{"from": (now + 2 * DAY).isoformat(), "to": (now + 9 * DAY).isoformat()}) == []


@pytest.mark.parametrize(
    ("query", "name", "sentence"),
    [
        ({"period": "year"}, "period", "period must be day or week or month."),
        ({"period": ""}, "period", "period must be day or week or month."),
        ({"from": "yesterday"}, "from", f"from {NO_MOMENT}"),
        ({"from": "2026-03-01T00:00:00"}, "from", f"from {NO_MOMENT}"),
        ({"to": "2026-03-01"}, "to", f"to {NO_MOMENT}"),
        ({"to": ""}, "to", f"to {NO_MOMENT}"),
        ({"to": "0001-01-01T00:00:00Z"}, "to", f"to {NO_MOMENT}"),
        ({"to": "9999-12-31T23:59:59-23:00"}, "to", f"to {NO_MOMENT}"),
        (
            {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
            "from",
            "from must not be after to; to is now if it is not given.",
        ),
        ({"from": "9000-01-01T00:00:00Z"}, "from", "from must not be after to; to is now if it is not given."),
        (
            {"from": "2023-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            "from",
            "from and to must not be more than two years apart; ask for less at once.",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_it_may_be(query, name, sentence):
    answer = ask("/b", **query)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": sentence, "details": [{"path": [name], "code": "invalid", "message": sentence}]},
    )


def test_a_bucket_that_does_not_exist_is_not_found():
    answer = ask("/nobody")
    assert (answer.status_code, answer.json()) == (404, {"error": "Bucket not found"})


@pytest.mark.parametrize("path", ["", "/b"])
def test_only_who_may_read_is_answered(path):
    answers = [ask(path, scope=scope).status_code for scope in (None, "ingest", "read", "full-admin")]
    assert answers == [401, 403, 200, 200]
