"""Buckets as time moves people in and out."""

from datetime import UTC, datetime, timedelta

import pytest

from buckets.actions import clock, reconcile
from buckets.definitions import Bucket
from buckets.models import BucketMembership
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY
LAPSED = event("active").exists() & event("active").within(WEEK).never()


def declare(criteria=LAPSED, **more) -> Bucket:
    bucket = Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})
    reconcile(bucket, now=NOW)
    return bucket


def active(*people: str, at: datetime = NOW, name: str = "active", **patch: object) -> None:
    sent = [
        Submission(id=new_id(), name=name, keys=Keys(person), patch=patch or None, occurred_at=at) for person in people
    ]
    ingest_events(sent, now=at)


def inside() -> set[str]:
    return set(BucketMembership.objects.filter(status="active").values_list("contact__external_id", flat=True))


def told() -> list[tuple[str, str, str | None]]:
    rows = Event.objects.filter(name__startswith="bucket:").order_by("seq")
    return [(row.name.removeprefix("bucket:"), row.properties["source"], row.properties.get("reason")) for row in rows]


def test_who_goes_quiet_joins_when_the_last_event_falls_out_of_the_window_and_not_before():
    bucket = declare()
    active("ada")
    reconcile(bucket, now=NOW + WEEK)
    assert inside() == set()

    done = reconcile(bucket, now=NOW + WEEK + timedelta(milliseconds=1))
    assert (inside(), told()) == ({"ada"}, [("entered:b", "reconcile", None)])
    assert (done.judged, done.told) == (1, 1)


def test_who_was_active_again_and_who_never_was_do_not_join():
    bucket = declare()
    active("ada", "ben")
    active("cleo", name="other")
    active("ben", at=NOW + DAY)
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert inside() == {"ada"}


def test_what_was_judged_is_not_looked_at_again():
    bucket = declare()
    active("ada")
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert reconcile(bucket, now=NOW + WEEK + 2 * HOUR).judged == 0
    assert told() == [("entered:b", "reconcile", None)]


def test_who_counts_as_busy_leaves_as_the_events_grow_old():
    bucket = declare(event("active").within(WEEK).at_least(2))
    active("ada")
    active("ada", at=NOW + HOUR)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + WEEK + timedelta(minutes=1))
    assert (inside(), told()[-1]) == (set(), ("left:b", "reconcile", "criteria"))


def test_a_long_absence_of_the_clock_is_caught_up_in_slices(monkeypatch):
    bucket = declare()
    monkeypatch.setattr("buckets.actions.clock.SLICE", 3)
    people = [f"p{number}" for number in range(10)]
    for number, person in enumerate(people):
        active(person, at=NOW + number * HOUR)
    active(*[f"same{number}" for number in range(7)], at=NOW + 20 * HOUR)

    reconcile(bucket, now=NOW + 30 * DAY)

    assert inside() == {*people, *(f"same{number}" for number in range(7))}
    assert len(told()) == 17


def test_a_crowd_at_one_moment_is_judged_in_slices_and_the_edge_moves_when_all_are(monkeypatch):
    bucket = declare()
    monkeypatch.setattr("buckets.actions.clock.SLICE", 3)
    held: list[int] = []
    monkeypatch.setattr(clock, "hold_contacts", lambda people: held.append(len(people)))
    active(*(f"p{number}" for number in range(10)))
    active("zoe", at=NOW + HOUR)
    reconcile(bucket, now=NOW + WEEK + 2 * HOUR)
    assert (len(inside()), len(told())) == (11, 11)
    assert max(held) == 3
    assert reconcile(bucket, now=NOW + WEEK + 3 * HOUR).judged == 0


def test_a_bucket_may_keep_the_clock_from_letting_people_in_and_lets_them_out_all_the_same():
    bucket = declare((event("active").within(WEEK).exists() & prop("vip").eq("yes")) | LAPSED, reconcile_joins=False)
    active("ada", vip="yes")
    active("ben")
    assert inside() == {"ada"}
    active("ada", at=NOW + HOUR, vip="no", name="other")
    assert inside() == set()
    reconcile(bucket, now=NOW + 2 * WEEK)
    assert inside() == set()


def test_the_shortest_stay_holds_until_it_is_over():
    bucket = declare(prop("plan").eq("trial"), min_dwell=DAY)
    active("ada", "ben", plan="trial")
    active("ada", at=NOW + HOUR, plan="paid")
    reconcile(bucket, now=NOW + DAY - HOUR)
    assert inside() == {"ada", "ben"}
    reconcile(bucket, now=NOW + DAY)
    assert (inside(), told()[-1]) == ({"ben"}, ("left:b", "reconcile", "criteria"))


def test_the_longest_stay_ends_whatever_the_criteria_say():
    bucket = declare(prop("plan").eq("trial"), max_dwell=DAY)
    active("ada", plan="trial")
    reconcile(bucket, now=NOW + DAY - HOUR)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + DAY)
    assert (inside(), told()[-1]) == (set(), ("left:b", "reconcile", "maxDwell"))


def test_who_is_deleted_does_not_come_back_with_the_clock():
    bucket = declare()
    active("ada")
    contact = Event.objects.get().contact
    delete_contact(contact_id=contact.pk, now=NOW + HOUR)
    reconcile(bucket, now=NOW + 2 * WEEK)
    assert (inside(), told()) == (set(), [])


def test_an_event_dated_ahead_counts_at_once_and_falls_out_later():
    bucket = declare(event("active").within(WEEK).exists())
    ingest_events([Submission(id=new_id(), name="active", keys=Keys("ada"), occurred_at=NOW + 12 * HOUR)], now=NOW)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + WEEK + HOUR)
    assert inside() == {"ada"}
    reconcile(bucket, now=NOW + WEEK + 13 * HOUR)
    assert inside() == set()
