"""Everybody is judged by a bucket that is new, has changed or was off."""

import pytest

from buckets.actions import (
    Standing,
    begin_backfill,
    continue_backfill,
    follow,
    plan_backfills,
    reconcile,
    run_backfill,
    set_enabled,
)
from buckets.definitions import Bucket, registry
from buckets.models import Backfill, BackfillStatus, BucketConfig, BucketMembership
from buckets.tasks import backfill, reconcile_all
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact
from contacts.models import Contact
from tests.integration.buckets.scene import DAY, HOUR, NOW, WEEK, does, inside, told

pytestmark = pytest.mark.django_db

LAPSED = event("active").exists() & event("active").within(WEEK).never()
BUSY = event("active").within(30 * DAY).at_least(10)


def declare(criteria=LAPSED, **more) -> Bucket:
    return Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})


def redeclare(**more) -> Bucket:
    registry._items.clear()
    return declare(**more)


def test_who_belongs_joins_in_silence_and_who_does_not_stays_out():
    for _ in range(10):
        does("ada", at=NOW - DAY)
    for _ in range(3):
        does("ben", at=NOW - DAY)
    done = run_backfill(declare(BUSY), now=NOW)
    assert (inside(), told()) == ({"ada"}, [])
    stay = BucketMembership.objects.get()
    assert (stay.source, stay.entry_number, stay.entered_at) == ("backfill", 1, NOW)
    assert (done.status, done.mode, done.total, done.processed, done.joined, done.left) == ("done", "first", 2, 2, 1, 0)
    assert BucketConfig.objects.get().criteria_hash == registry.get("b").criteria_hash


def test_a_second_one_moves_nobody():
    does("ada", at=NOW - 8 * DAY)
    bucket = declare()
    run_backfill(bucket, now=NOW)
    again = run_backfill(bucket, now=NOW + HOUR)
    assert (again.joined, again.left, BucketMembership.objects.count()) == (0, 0, 1)


def test_who_was_in_before_joins_for_the_second_time():
    bucket = declare(prop("plan").eq("trial"))
    does("ada", plan="trial")
    does("ada", plan="paid")
    BucketMembership.objects.filter(status="active").delete()
    Contact.objects.update(properties={"plan": "trial"})
    run_backfill(bucket, now=NOW + HOUR)
    assert BucketMembership.objects.get(status="active").entry_number == 2


def test_the_longest_stay_is_counted_from_the_backfill():
    does("ada", at=NOW - 8 * DAY)
    run_backfill(declare(max_dwell=DAY), now=NOW)
    assert BucketMembership.objects.get().max_dwell_at == NOW + DAY


@pytest.mark.parametrize(
    ("criteria", "anchored"),
    [
        (LAPSED, True),
        (event("active").within(WEEK).never(), True),
        (event("active").within(30 * DAY).at_least(1), True),
        (event("active").exists(), False),
        (LAPSED & prop("plan").eq("trial"), False),
        (event("active").exists() & event("other").within(WEEK).never(), False),
    ],
)
def test_a_dwell_is_counted_from_the_last_event_where_the_bucket_is_about_one(criteria, anchored):
    does("ada", at=NOW - 20 * DAY, plan="trial")
    does("ada", at=NOW - 10 * DAY)
    run_backfill(declare(criteria), now=NOW)
    assert BucketMembership.objects.get().dwell_anchor_at == (NOW - 10 * DAY if anchored else None)


def test_who_may_not_join_by_time_alone_is_in_from_the_beginning_if_they_belong():
    does("ada", at=NOW - 8 * DAY)
    run_backfill(declare(reconcile_joins=False), now=NOW)
    assert inside() == {"ada"}


def test_whom_the_longest_stay_has_ended_joins_again_only_by_other_criteria():
    trial = prop("plan").eq("trial")
    does("ada", at=NOW, plan="trial")
    bucket = declare(trial, max_dwell=DAY)
    run_backfill(bucket, now=NOW)
    reconcile(bucket, now=NOW + DAY)
    run_backfill(bucket, now=NOW + 2 * DAY)
    assert inside() == set()
    run_backfill(redeclare(criteria=trial | prop("plan").eq("x")), now=NOW + 2 * DAY)
    assert inside() == {"ada"}


def test_who_is_deleted_and_who_never_did_it_stay_out():
    does("ada", "ben", at=NOW - 8 * DAY)
    does("cleo", name="other", at=NOW - 8 * DAY)
    delete_contact(contact_id=Contact.objects.get(external_id="ben").pk, now=NOW - DAY)
    run_backfill(declare(event("active").within(WEEK).never()), now=NOW)
    assert inside() == {"ada"}


def test_when_the_criteria_change_people_join_in_silence_and_leave_aloud():
    does("ada", "ben", at=NOW - 8 * DAY, plan="trial")
    does("ben", at=NOW - DAY)
    run_backfill(declare(prop("plan").eq("trial")), now=NOW - DAY)
    does("cleo", at=NOW - 8 * DAY)
    changed = redeclare(criteria=LAPSED)
    [begun] = plan_backfills(now=NOW)
    while continue_backfill(begun.pk, now=NOW):
        pass
    assert inside() == {"ada", "cleo"}
    assert told() == [("left:b", "backfill", "criteria")]
    assert BucketConfig.objects.get().criteria_hash == changed.criteria_hash
    assert plan_backfills(now=NOW) == []


def test_the_same_criteria_in_other_words_need_no_backfill():
    run_backfill(declare(event("active").within(60 * HOUR).exists()), now=NOW)
    data = {"type": "event", "eventName": "active", "check": "exists", "within": {"minutes": 3600}}
    redeclare(criteria=data)
    assert plan_backfills(now=NOW) == []


def test_it_goes_on_where_it_was_left_and_shows_how_far_it_is(monkeypatch):
    monkeypatch.setattr("buckets.actions.backfill.SLICE", 3)
    does(*(f"p{number}" for number in range(8)), at=NOW - 8 * DAY)
    begun = begin_backfill(declare(), now=NOW)
    assert continue_backfill(begun.pk, now=NOW)
    begun.refresh_from_db()
    assert (begun.total, begun.processed, begun.joined, begun.status) == (8, 3, 3, "running")
    assert continue_backfill(begun.pk, now=NOW)
    assert not continue_backfill(begun.pk, now=NOW)
    begun.refresh_from_db()
    assert (begun.processed, begun.joined, begun.status) == (8, 8, "done")


def test_one_with_other_criteria_is_given_up_and_cannot_go_on():
    first = begin_backfill(declare(), now=NOW)
    assert begin_backfill(registry.get("b"), now=NOW) == first
    second = begin_backfill(redeclare(criteria=BUSY), now=NOW)
    first.refresh_from_db()
    assert (first.status, second.status) == (BackfillStatus.SUPERSEDED, BackfillStatus.RUNNING)
    assert not continue_backfill(first.pk, now=NOW)


def test_code_with_other_criteria_leaves_it_to_those_who_have_them():
    begun = begin_backfill(declare(), now=NOW)
    redeclare(criteria=BUSY)
    assert not continue_backfill(begun.pk, now=NOW)
    begun.refresh_from_db()
    assert (begun.status, begun.processed) == (BackfillStatus.RUNNING, 0)


def test_the_clock_stands_still_until_everybody_was_judged_and_then_tells_only_of_news():
    bucket = declare()
    does("ada", at=NOW - 8 * DAY)
    does("ben", at=NOW - 6 * DAY)
    assert follow(bucket, now=NOW)[0] is Standing.BACKFILL
    assert follow(bucket, now=NOW + 2 * DAY)[0] is Standing.BACKFILL
    assert inside() == set()
    begun = Backfill.objects.get()
    while continue_backfill(begun.pk, now=NOW + 2 * DAY):
        pass
    assert (inside(), told()) == ({"ada", "ben"}, [])
    does("cleo", at=NOW + 2 * DAY)
    standing, done = follow(bucket, now=NOW + 10 * DAY)
    assert (standing, done.joined) == (Standing.ON, 1)
    assert told() == [("entered:b", "reconcile", None)]


def test_a_bucket_that_was_off_in_the_code_judges_everybody_before_it_goes_on():
    bucket = declare(prop("plan").eq("trial"))
    does("ada", "ben", plan="trial")
    run_backfill(bucket, now=NOW)
    off = redeclare(criteria=prop("plan").eq("trial"), enabled=False)
    assert follow(off, now=NOW)[0] is Standing.OFF
    does("ben", at=NOW + HOUR, plan="paid")
    does("cleo", at=NOW + HOUR, plan="trial")
    assert inside() == {"ada", "ben"}
    on = redeclare(criteria=prop("plan").eq("trial"))
    assert follow(on, now=NOW + DAY)[0] is Standing.BACKFILL
    while continue_backfill(Backfill.objects.get(status="running").pk, now=NOW + DAY):
        pass
    assert inside() == {"ada", "cleo"}
    assert told()[-1] == ("left:b", "backfill", "criteria")
    assert follow(on, now=NOW + DAY)[0] is Standing.ON


def test_staff_switch_a_bucket_off_and_nothing_moves_anybody():
    bucket = declare()
    does("ada", at=NOW)
    run_backfill(bucket, now=NOW + HOUR)
    set_enabled(bucket, enabled=False, now=NOW + HOUR)
    assert follow(bucket, now=NOW + 8 * DAY)[0] is Standing.OFF
    does("ben", at=NOW - 9 * DAY, now=NOW + 8 * DAY)
    assert (inside(), told()) == (set(), [])
    assert plan_backfills(now=NOW + 8 * DAY) == []


def test_staff_switch_a_bucket_on_again_and_members_are_right():
    bucket = declare(prop("plan").eq("trial"))
    does("ada", plan="trial")
    run_backfill(bucket, now=NOW)
    set_enabled(bucket, enabled=False, now=NOW)
    does("ada", at=NOW + HOUR, plan="paid")
    does("ben", at=NOW + HOUR, plan="trial")
    assert inside() == {"ada"}
    set_enabled(bucket, enabled=True, now=NOW + 2 * HOUR)
    while continue_backfill(Backfill.objects.get(status="running").pk, now=NOW + 2 * HOUR):
        pass
    assert (inside(), told()) == ({"ben"}, [("entered:b", "event", None), ("left:b", "backfill", "criteria")])


def test_switching_off_gives_up_a_backfill_that_runs():
    bucket = declare()
    begun = begin_backfill(bucket, now=NOW)
    set_enabled(bucket, enabled=False, now=NOW)
    begun.refresh_from_db()
    assert begun.status == BackfillStatus.CANCELLED
    assert not continue_backfill(begun.pk, now=NOW)


def test_the_tasks_do_it_by_themselves():
    does("ada", at=NOW - 8 * DAY)
    declare()
    reconcile_all()
    backfill()
    assert inside() == {"ada"}
    assert Backfill.objects.get().status == BackfillStatus.DONE


def test_a_slice_that_fails_says_why_and_takes_nothing_back(monkeypatch):
    monkeypatch.setattr("buckets.actions.backfill.SLICE", 2)
    does(*(f"p{number}" for number in range(5)), at=NOW - 8 * DAY)
    begun = begin_backfill(declare(), now=NOW)
    assert continue_backfill(begun.pk, now=NOW)
    monkeypatch.setattr("buckets.actions.backfill.judge_people", _breaks)
    backfill()
    begun.refresh_from_db()
    assert (begun.processed, begun.status, begun.error) == (2, "running", "ValueError: broken")


def _breaks(*_given: object, **_more: object) -> None:
    raise ValueError("broken")
