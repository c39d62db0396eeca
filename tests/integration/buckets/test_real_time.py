"""Buckets as events and contact writes move people in and out."""

from datetime import UTC, datetime, timedelta

import pytest

from buckets.definitions import Bucket
from buckets.models import BucketMembership
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact, identify, merge_contacts, undo_merge
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id
from tests.people import ada, ben

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRIAL = prop("plan").eq("trial")


def declare(criteria=TRIAL, **more) -> Bucket:
    return Bucket(**{"id": "b", "name": "The B", "criteria": criteria, **more})


def happens(name: str = "n", *, now: datetime = NOW, keys: Keys | None = None, **patch: object) -> None:
    """Something happens to ada, and something may be said about her with it."""
    submission = Submission(id=new_id(), name=name, keys=keys or Keys("ada"), patch=patch or None)
    ingest_events([submission], now=now)


def stays() -> list[tuple[str, int, str, str]]:
    rows = BucketMembership.objects.order_by("entered_at", "entry_number")
    return [(row.status, row.entry_number, row.source, row.leave_reason) for row in rows]


def told() -> list[tuple[str, dict]]:
    return list(Event.objects.filter(name__startswith="bucket:").order_by("seq").values_list("name", "properties"))


def names() -> list[str]:
    return [name.removeprefix("bucket:") for name, _ in told()]


def test_the_first_event_that_qualifies_lets_somebody_join_and_tells_of_it():
    declare()
    happens(plan="trial")
    assert stays() == [("active", 1, "event", "")]
    assert told() == [
        (
            "bucket:entered:b",
            {
                "bucketId": "b",
                "bucketName": "The B",
                "userId": "ada",
                "transition": "entered",
                "source": "event",
                "entryCount": 1,
            },
        )
    ]
    assert Event.objects.get(name="bucket:entered:b").hop == 1


def test_a_second_one_changes_nothing():
    declare()
    happens(plan="trial")
    happens(plan="trial")
    assert (len(stays()), names()) == (1, ["entered:b"])


def test_who_does_not_belong_any_more_leaves_once_and_may_come_again():
    declare()
    for turn in range(3):
        happens(now=NOW + turn * DAY, plan="trial")
        happens(now=NOW + turn * DAY + HOUR, plan="paid")
        happens(now=NOW + turn * DAY + 2 * HOUR, plan="paid")
    assert stays() == [("left", number, "event", "criteria") for number in (1, 2, 3)]
    assert names() == ["entered:b", "left:b"] * 3
    assert [properties["entryCount"] for _, properties in told()] == [1, 1, 2, 2, 3, 3]
    assert told()[-1][1]["reason"] == "criteria"


def test_it_is_the_contact_that_counts_and_not_what_an_event_carries():
    declare()
    ada(plan="trial")
    submission = Submission(id=new_id(), name="n", keys=Keys("ada"), properties={"plan": "paid"}, patch={"x": 1})
    ingest_events([submission], now=NOW)
    assert stays() == []
    happens(plan="trial")
    assert stays() == [("active", 1, "event", "")]


def test_events_count_from_what_is_stored():
    declare(event("order.completed").within(30 * DAY).at_least(3))
    for number in range(3):
        assert stays() == []
        happens("order.completed", now=NOW + number * DAY)
    assert names() == ["entered:b"]


@pytest.mark.parametrize("name", ["bucket:entered:b", "bucket:left:b"])
def test_what_buckets_cause_moves_nobody(name):
    declare(event("n").exists())
    other = declare(prop("plan").eq("trial"), id="other")
    happens(plan="trial")
    assert other.entered.removeprefix("bucket:") in names()
    assert names().count("entered:b") == 1


@pytest.mark.parametrize(
    ("limit", "period", "out_for", "announced"),
    [
        ("unlimited", None, HOUR, True),
        ("once", None, HOUR, False),
        ("once_per_period", DAY, HOUR, False),
        ("once_per_period", DAY, 25 * HOUR, True),
        ("once_per_period", None, HOUR, True),
    ],
)
def test_how_often_joining_is_announced_is_a_policy_and_membership_follows_the_criteria(
    limit, period, out_for, announced
):
    declare(entry_limit=limit, entry_period=period)
    happens(plan="trial")
    happens(now=NOW + HOUR, plan="paid")
    happens(now=NOW + HOUR + out_for, plan="trial")
    assert stays()[-1] == ("active", 2, "event", "")
    assert names() == ["entered:b", "left:b"] + ["entered:b"] * announced


def test_nobody_leaves_before_the_shortest_stay_and_who_belongs_again_stays():
    declare(min_dwell=DAY)
    happens(plan="trial")
    happens(now=NOW + HOUR, plan="paid")
    assert (stays(), BucketMembership.objects.get().leave_due_at) == ([("active", 1, "event", "")], NOW + DAY)
    happens(now=NOW + 2 * HOUR, plan="trial")
    assert BucketMembership.objects.get().leave_due_at is None
    happens(now=NOW + DAY, plan="paid")
    assert (stays(), names()) == ([("left", 1, "event", "criteria")], ["entered:b", "left:b"])


def test_the_longest_stay_ends_at_a_moment_that_is_set_on_joining():
    declare(max_dwell=14 * DAY)
    happens(plan="trial")
    assert BucketMembership.objects.get().max_dwell_at == NOW + 14 * DAY


def test_a_contact_write_moves_people_too():
    declare()
    identify(keys=Keys("ada"), patch={"plan": "trial"}, now=NOW)
    identify(keys=Keys("ada"), patch={"plan": "paid"}, now=NOW + HOUR)
    assert (stays(), names()) == ([("left", 1, "contact", "criteria")], ["entered:b", "left:b"])


def test_an_address_alone_and_a_visitor_belong_like_anybody():
    declare()
    happens(keys=Keys(None, "eve@example.com", None), plan="trial")
    happens(keys=Keys(None, None, "visit"), plan="trial")
    assert stays() == [("active", 1, "event", "")] * 2
    assert Event.objects.filter(name="bucket:entered:b").values("contact").distinct().count() == 2


def test_who_is_deleted_is_out_and_nobody_is_told():
    declare()
    happens(plan="trial")
    delete_contact(contact_id=BucketMembership.objects.get().contact_id, now=NOW + HOUR)
    assert (stays(), names()) == ([("left", 1, "event", "deleted")], ["entered:b"])


def test_who_comes_back_after_a_deletion_is_announced_anew_under_the_same_user_id():
    declare()
    happens(plan="trial")
    delete_contact(contact_id=BucketMembership.objects.get().contact_id, now=NOW + HOUR)
    happens(now=NOW + DAY, plan="trial")
    assert (stays()[-1], names()) == (("active", 1, "event", ""), ["entered:b"] * 2)


def test_who_becomes_one_is_in_once_and_is_two_again_when_it_is_taken_back():
    declare()
    first, second = ada(), ben()
    happens(plan="trial")
    happens(keys=Keys(None, "ben@example.com", None), now=NOW + HOUR, plan="trial")

    merge = merge_contacts(survivor_id=first.pk, absorbed_id=second.pk, actor="staff", now=NOW + DAY)
    assert stays() == [("active", 1, "event", ""), ("left", 1, "event", "merged")]
    assert set(BucketMembership.objects.values_list("contact", flat=True)) == {first.pk}
    assert names() == ["entered:b"] * 2

    undo_merge(merge_id=merge.pk, actor="staff", now=NOW + DAY)
    assert stays() == [("active", 1, "event", "")] * 2
    assert set(BucketMembership.objects.values_list("contact", flat=True)) == {first.pk, second.pk}


def test_a_bucket_that_is_off_keeps_its_members_and_judges_nobody():
    declare(enabled=False)
    happens(plan="trial")
    assert stays() == []


@pytest.mark.parametrize("value", ["100%", "it's", "{x}", "a\\b", "%s"])
def test_what_criteria_compare_with_may_hold_any_sign(value):
    declare(prop("note").contains(value) & event("n").exists())
    happens(note=f"<{value}>")
    assert names() == ["entered:b"]
