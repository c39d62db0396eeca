"""Stays that last are told of: once, or every time so long has passed again."""

from datetime import datetime, timedelta

import pytest

from buckets.actions import reconcile, run_backfill
from buckets.actions.dwell import policy_of
from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership, DwellDue
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact, merge_contacts, undo_merge
from contacts.models import Contact, ContactMerge
from events.models import Event, IdempotencyKey
from journeys.definitions import journey
from journeys.definitions import registry as journeys
from tests.integration.buckets.scene import DAY, HOUR, NOW, WEEK, does, inside, settled

pytestmark = pytest.mark.django_db

TRIAL = prop("plan").eq("trial")
AFTER_A_WEEK = "dwell:b:after-604800000"
LAPSED = event("active").exists() & event("active").within(WEEK).never()


def declare(criteria=TRIAL, *, after: timedelta | None = None, every: timedelta | None = None, **more) -> Bucket:
    bucket = Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})
    if after is not None:
        bucket.on("dwell", lambda user, ctx: None, after=after)
    if every is not None:
        bucket.on("dwell", lambda user, ctx: None, every=every)
    return bucket


def redeclare(**more) -> Bucket:
    registry._items.clear()
    return declare(**more)


def dwelt() -> list[tuple[str, str, int]]:
    rows = Event.objects.filter(name__startswith="bucket:dwell").order_by("seq")
    return [(row.name.removeprefix("bucket:"), row.properties["userId"], row.properties["dwellCount"]) for row in rows]


def joined(bucket: Bucket, who: str, *, at: datetime) -> None:
    does(who, at=at, plan="trial")
    settled(bucket)


def test_who_stays_long_enough_is_told_of_once_each():
    bucket = declare(after=WEEK)
    does("ada", "ben", at=NOW - 10 * DAY, plan="trial")
    reconcile(bucket, now=NOW)
    assert dwelt() == [(AFTER_A_WEEK, "ada", 1), (AFTER_A_WEEK, "ben", 1)]
    assert reconcile(bucket, now=NOW + DAY).told == 0
    assert DwellDue.objects.count() == 0


def test_the_event_says_which_stay_it_was_and_bears_its_key():
    bucket = declare(after=WEEK)
    joined(bucket, "ada", at=NOW)
    reconcile(bucket, now=NOW + WEEK)
    told = Event.objects.get(name=f"bucket:{AFTER_A_WEEK}")
    assert told.properties == {
        "bucketId": "b",
        "bucketName": "B",
        "userId": "ada",
        "transition": "dwell",
        "source": "reconcile",
        "entryCount": 1,
        "dwellCount": 1,
    }
    key = f"bucket:b:{told.contact_id}:dwell:after-604800000:1"
    assert IdempotencyKey.objects.get(answer=told.pk).key == key


def test_not_a_moment_too_early():
    bucket = declare(after=WEEK)
    joined(bucket, "ada", at=NOW)
    reconcile(bucket, now=NOW + WEEK - timedelta(milliseconds=1))
    assert dwelt() == []


def test_who_left_is_not_told_of_and_who_came_back_is_counted_from_then():
    bucket = declare(after=WEEK)
    does("ada", "ben", "cleo", at=NOW - 10 * DAY, plan="trial")
    does("ada", "ben", at=NOW - 3 * DAY, plan="paid")
    does("ben", at=NOW - DAY, plan="trial")
    reconcile(bucket, now=NOW)
    assert dwelt() == [(AFTER_A_WEEK, "cleo", 1)]


def test_a_second_stay_is_told_of_again_under_a_key_of_its_own():
    bucket = declare(after=DAY)
    joined(bucket, "ada", at=NOW)
    reconcile(bucket, now=NOW + DAY)
    does("ada", at=NOW + 2 * DAY, plan="paid")
    does("ada", at=NOW + 3 * DAY, plan="trial")
    reconcile(bucket, now=NOW + 5 * DAY)
    contact = Contact.objects.get()
    keys = set(IdempotencyKey.objects.filter(key__contains=":dwell:").values_list("key", flat=True))
    assert [name for name, *_ in dwelt()] == ["dwell:b:after-86400000"] * 2
    assert keys == {f"bucket:b:{contact.pk}:dwell:after-86400000:1", f"bucket:b:{contact.pk}:dwell:after-86400000:2:1"}


def test_what_repeats_is_told_of_at_each_multiple_without_drift():
    bucket = declare(every=HOUR)
    joined(bucket, "ada", at=NOW)
    for minutes in (30, 61, 95, 125, 170, 181):
        reconcile(bucket, now=NOW + timedelta(minutes=minutes))
    assert [count for *_, count in dwelt()] == [1, 2, 3]
    assert DwellDue.objects.get().due_at == NOW + 4 * HOUR


def test_of_what_was_missed_the_last_is_told_once():
    bucket = declare(every=HOUR)
    joined(bucket, "ada", at=NOW)
    reconcile(bucket, now=NOW + 3 * HOUR)
    assert [count for *_, count in dwelt()] == [3]


def test_after_and_every_go_side_by_side():
    bucket = declare(after=2 * HOUR, every=HOUR)
    joined(bucket, "ada", at=NOW)
    reconcile(bucket, now=NOW + 2 * HOUR)
    assert sorted(dwelt()) == [("dwell:b:after-7200000", "ada", 1), ("dwell:b:every-3600000", "ada", 2)]


def test_who_leaves_by_the_longest_stay_is_never_told_to_have_stayed():
    bucket = declare(after=WEEK, max_dwell=8 * DAY)
    does("ada", at=NOW - 9 * DAY, plan="trial")
    does("ben", at=NOW - 7 * DAY, plan="trial")
    reconcile(bucket, now=NOW)
    assert (dwelt(), inside()) == ([(AFTER_A_WEEK, "ben", 1)], {"ben"})


def test_whoever_is_deleted_is_not_told_of_and_leaves_nothing_behind():
    bucket = declare(after=WEEK)
    joined(bucket, "ada", at=NOW)
    delete_contact(contact_id=Contact.objects.get().pk, now=NOW + DAY)
    reconcile(bucket, now=NOW + 8 * DAY)
    assert (dwelt(), DwellDue.objects.count()) == ([], 0)


def test_many_at_once_are_told_of_in_slices(monkeypatch):
    monkeypatch.setattr("buckets.actions.clock.SLICE", 3)
    bucket = declare(after=WEEK, every=DAY)
    does(*(f"p{number}" for number in range(10)), at=NOW, plan="trial")
    reconcile(bucket, now=NOW + WEEK)
    assert len(dwelt()) == 20


def test_a_new_reaction_counts_the_stays_of_those_who_are_in_already():
    old = declare()
    does("ada", at=NOW - 10 * DAY, plan="trial")
    does("ben", at=NOW - DAY, plan="trial")
    config = settled(old)
    config.policy = policy_of(old)
    config.save()
    reconcile(redeclare(after=WEEK), now=NOW)
    assert dwelt() == [(AFTER_A_WEEK, "ada", 1)]
    reconcile(registry.get("b"), now=NOW + HOUR)
    reconcile(registry.get("b"), now=NOW + 6 * DAY)
    assert dwelt() == [(AFTER_A_WEEK, "ada", 1), (AFTER_A_WEEK, "ben", 1)]


def test_a_reaction_that_is_gone_leaves_nothing_due():
    joined(declare(after=WEEK), "ada", at=NOW)
    reconcile(registry.get("b"), now=NOW)
    reconcile(redeclare(after=DAY), now=NOW)
    assert list(DwellDue.objects.values_list("label", flat=True)) == ["after-86400000"]


def test_another_longest_stay_holds_for_those_who_are_in_already():
    joined(declare(max_dwell=10 * DAY), "ada", at=NOW)
    reconcile(registry.get("b"), now=NOW)
    reconcile(redeclare(max_dwell=DAY), now=NOW + 2 * DAY)
    assert inside() == set()
    joined(redeclare(max_dwell=DAY), "ben", at=NOW)
    reconcile(redeclare(), now=NOW + 5 * DAY)
    assert (inside(), BucketMembership.objects.get(status="active").max_dwell_at) == ({"ben"}, None)


def test_a_backfilled_stay_is_counted_from_the_last_sign_of_life():
    does("ada", at=NOW - 30 * DAY)
    bucket = declare(LAPSED, after=2 * WEEK)
    run_backfill(bucket, now=NOW)
    reconcile(bucket, now=NOW + timedelta(seconds=1))
    assert [who for _, who, _ in dwelt()] == ["ada"]


def test_a_stay_goes_on_through_a_merge_and_its_undoing():
    bucket = declare(after=WEEK)
    joined(bucket, "ada", at=NOW)
    does("ben", at=NOW, plan="paid")
    ada, ben = (Contact.objects.get(external_id=who) for who in ("ada", "ben"))
    Contact.objects.filter(pk=ben.pk).update(properties={})
    merge_contacts(survivor_id=ben.pk, absorbed_id=ada.pk, actor="test", now=NOW + DAY)
    assert inside() == {"ben"}
    undo_merge(merge_id=ContactMerge.objects.get().pk, actor="test", now=NOW + 2 * DAY)
    reconcile(bucket, now=NOW + WEEK)
    assert dwelt() == [(AFTER_A_WEEK, "ada", 1)]


def test_a_journey_that_begins_with_any_dwell_hears_of_each():
    bucket = declare(every=HOUR)
    joined(bucket, "ada", at=NOW)
    with journeys.scratch():
        journey(id="any", trigger="bucket:dwell")(lambda user, ctx: None)
        reconcile(bucket, now=NOW + HOUR)
        reconcile(bucket, now=NOW + 2 * HOUR)
    assert Event.objects.filter(name="bucket:dwell").count() == 2
