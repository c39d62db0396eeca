"""What went wrong with buckets elsewhere, and must not here."""

import threading
from datetime import timedelta

import pytest

from buckets.actions import (
    begin_backfill,
    continue_backfill,
    judge_people,
    reconcile,
    run_backfill,
    verify,
)
from buckets.definitions import Bucket
from buckets.models import Backfill, BucketMembership, Source
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact
from contacts.models import Contact
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event, IdempotencyKey
from events.submission import Submission
from hogsend.clock import database_now
from hogsend.lib.ids import new_id
from journeys.definitions import journey
from journeys.definitions import registry as journeys
from tests.integration.buckets.scene import DAY, HOUR, NOW, WEEK, does, inside, told
from tests.integration.events.test_together import at_once

pytestmark = pytest.mark.django_db

LAPSED = event("active").exists() & event("active").within(WEEK).never()
NAMELESS = [Keys(None, "ada@example.com"), Keys(None, None, "visitor-1")]


def declare(criteria=LAPSED, **more) -> Bucket:
    return Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})


def comes(keys: Keys, *, at=NOW, name: str = "active", **patch: object) -> None:
    ingest_events([Submission(id=new_id(), name=name, keys=keys, patch=patch or None, occurred_at=at)], now=at)


@pytest.mark.parametrize("keys", NAMELESS)
def test_who_has_no_user_id_joins_leaves_and_stays_by_the_clock_like_anybody(keys):
    bucket = declare(min_dwell=HOUR)
    bucket.on("dwell", lambda user, ctx: None, after=DAY)
    run_backfill(bucket, now=NOW)
    comes(keys)
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert bucket.count() == 1
    reconcile(bucket, now=NOW + WEEK + 2 * DAY)
    comes(keys, at=NOW + 10 * DAY)
    assert [name for name, *_ in told()] == ["entered:b", "dwell:b:after-86400000", "left:b"]


@pytest.mark.parametrize("keys", NAMELESS)
def test_who_has_no_user_id_leaves_by_the_longest_stay(keys):
    bucket = declare(prop("plan").eq("trial"), max_dwell=DAY)
    comes(keys, plan="trial")
    reconcile(bucket, now=NOW + DAY)
    assert (bucket.count(), told()[-1]) == (0, ("left:b", "reconcile", "maxDwell"))


@pytest.mark.parametrize("keys", NAMELESS)
def test_no_transition_makes_another_contact_of_somebody(keys):
    bucket = declare(prop("plan").eq("trial"))
    comes(keys, plan="trial")
    comes(keys, plan="paid")
    run_backfill(bucket, now=NOW)
    assert Contact.objects.count() == 1
    assert set(Event.objects.values_list("contact_id", flat=True)) == {Contact.objects.get().pk}


def test_who_signs_up_again_after_a_deletion_is_judged_as_who_they_are_now():
    bucket = declare(event("active").at_least(2))
    does("ada")
    delete_contact(contact_id=Contact.objects.get().pk, now=NOW + HOUR)
    does("ada", at=NOW + 2 * HOUR)
    assert inside() == set()
    does("ada", at=NOW + 3 * HOUR)
    assert bucket.count() == 1


def test_an_event_that_comes_late_for_somebody_who_is_deleted_moves_nobody_else():
    declare(event("active").exists())
    does("ada", "ben", name="other")
    delete_contact(contact_id=Contact.objects.get(external_id="ada").pk, now=NOW)
    assert (inside(), told()) == (set(), [])


def test_a_window_ends_when_its_event_falls_out_and_again_after_each_new_one():
    bucket = declare(event("active").within(HOUR).exists(), fast_expiry=True)
    run_backfill(bucket, now=NOW)
    does("ada")
    does("ada", at=NOW + timedelta(minutes=50))
    reconcile(bucket, now=NOW + timedelta(minutes=61))
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + timedelta(minutes=110, seconds=1))
    assert inside() == set()


def test_of_a_count_the_oldest_that_counts_decides_when_it_ends():
    bucket = declare(event("active").within(DAY).at_least(2))
    run_backfill(bucket, now=NOW)
    does("ada", at=NOW)
    does("ada", at=NOW + 20 * HOUR)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + 25 * HOUR)
    assert inside() == set()


def test_having_done_it_less_often_is_noticed_by_the_clock_too():
    bucket = declare(event("active").exists() & event("active").within(DAY).exactly(0))
    run_backfill(bucket, now=NOW)
    does("ada")
    reconcile(bucket, now=NOW + DAY + HOUR)
    assert (inside(), told()) == ({"ada"}, [("entered:b", "reconcile", None)])


def test_windows_that_shall_not_slide_do_not_and_stays_end_all_the_same():
    bucket = declare(event("active").within(DAY).exists(), time_based=False, max_dwell=10 * DAY)
    run_backfill(bucket, now=NOW)
    does("ada")
    reconcile(bucket, now=NOW + 5 * DAY)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + 10 * DAY)
    assert inside() == set()


def test_who_joined_once_is_not_announced_again_whether_by_backfill_or_not():
    bucket = declare(prop("plan").eq("trial"), entry_limit="once")
    does("ada", plan="trial")
    Bucket("later", name="Later", criteria=prop("plan").eq("trial"), entry_limit="once")
    run_backfill(bucket, now=NOW)
    does("ada", at=NOW + HOUR, plan="paid")
    does("ada", at=NOW + 2 * HOUR, plan="trial")
    assert [name for name, *_ in told("entered:b")] == ["entered:b"]


def test_very_many_people_are_one_parameter():
    moved = judge_people(declare(), [new_id() for _ in range(70_000)], source=Source.RECONCILE, now=NOW)
    assert (moved.joined, moved.left) == (0, 0)


def test_somebody_dormant_is_found_among_many_who_are_not():
    bucket = declare()
    run_backfill(bucket, now=NOW)
    does(*(f"p{number}" for number in range(501)), at=NOW + 6 * DAY)
    does("zoe", at=NOW)
    does("never", at=NOW, name="other")
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert (inside(), told()) == ({"zoe"}, [("entered:b", "reconcile", None)])


def test_of_two_absences_one_is_enough_where_one_is_asked_for():
    a, b = (event(name).within(WEEK).never() & event(name).exists() for name in "ab")
    bucket = declare(a | b)
    run_backfill(bucket, now=NOW)
    for name in "ab":
        does("ada", at=NOW, name=name)
    does("ben", at=NOW, name="b")
    does("ada", at=NOW + 5 * DAY, name="a")
    does("ada", at=NOW + 5 * DAY, name="b")
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert inside() == {"ben"}


@pytest.mark.django_db(transaction=True)
def test_workers_that_go_on_with_one_backfill_at_once_judge_everybody_once(monkeypatch):
    monkeypatch.setattr("buckets.actions.backfill.SLICE", 10)
    does(*(f"p{number}" for number in range(200)), at=NOW - 8 * DAY)
    begun = begin_backfill(declare(), now=NOW)

    def work(_number: int) -> None:
        while Backfill.objects.get().status == "running":
            continue_backfill(begun.pk, now=NOW)

    at_once(work, 4)
    begun.refresh_from_db()
    assert (begun.processed, begun.joined, begun.status) == (200, 200, "done")
    assert BucketMembership.objects.count() == 200


@pytest.mark.django_db(transaction=True)
def test_workers_that_begin_at_once_begin_one_backfill():
    bucket = declare()
    at_once(lambda _: begin_backfill(bucket, now=NOW), 8)
    assert Backfill.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_events_that_come_while_everybody_is_judged_are_not_lost(monkeypatch):
    monkeypatch.setattr("buckets.actions.backfill.SLICE", 7)
    bucket = declare(prop("plan").eq("trial"))
    people = [f"p{number}" for number in range(100)]
    does(*people, plan="paid")
    Contact.objects.update(properties={"plan": "trial"})
    begun = begin_backfill(bucket, now=NOW)
    written = threading.Event()

    def work(number: int) -> None:
        if number:
            for person in people[number::3]:
                does(person, at=NOW + HOUR, plan="paid" if int(person[1:]) % 2 else "trial")
            return
        while continue_backfill(begun.pk, now=NOW):
            written.wait(0.002)

    at_once(work, 4)
    while continue_backfill(begun.pk, now=NOW):
        pass
    moment = database_now()
    report = verify(bucket, clock=lambda: moment)
    assert (report.missing, report.surplus) == (0, 0)
    assert inside() == {one.external_id for one in Contact.objects.filter(properties__plan="trial")}


def test_a_general_event_is_told_beside_the_own_one_if_a_journey_begins_with_it_and_not_if_one_only_ends_by_it():
    declare(prop("plan").eq("trial"))
    with journeys.scratch():
        journey(id="ends", trigger="go", exit_on=["bucket:entered"])(lambda user, ctx: None)
        does("ada", plan="trial")
        assert [name for name, *_ in told()] == ["entered:b"]
        journey(id="begins", trigger="bucket:left")(lambda user, ctx: None)
        does("ada", at=NOW + HOUR, plan="paid")
    assert [name for name, *_ in told()] == ["entered:b", "left:b", "left"]
    general = Event.objects.get(name="bucket:left")
    assert (general.properties["bucketId"], general.properties["reason"]) == ("b", "criteria")
    key = f"bucket:b:{general.contact_id}:left:1"
    claimed = IdempotencyKey.objects.filter(key__startswith=key).order_by("key").values_list("key", flat=True)
    assert list(claimed) == [key, f"{key}:generic"]
