"""Everybody is judged anew and compared with who is in."""

from datetime import datetime

import pytest

from buckets.actions import NotVerifiableError, begin_backfill, run_backfill, set_enabled, verify
from buckets.definitions import Bucket
from buckets.models import BucketMembership, Verification
from buckets.tasks import verify_all
from conditions.event import event
from conditions.property import prop
from contacts.models import Contact
from tests.integration.buckets.scene import DAY, HOUR, NOW, WEEK, does, inside, told

pytestmark = pytest.mark.django_db

LAPSED = event("active").exists() & event("active").within(WEEK).never()
TRIAL = prop("plan").eq("trial")


def declare(criteria=TRIAL, **more) -> Bucket:
    bucket = Bucket(**{"id": "b", "name": "B", "criteria": criteria, **more})
    run_backfill(bucket, now=NOW - 30 * DAY)
    return bucket


def look(bucket: Bucket, *, at: datetime = NOW, repair: bool = True) -> Verification:
    return verify(bucket, clock=lambda: at, repair=repair)


def report(row: Verification) -> tuple[int, int, int, int]:
    return row.people, row.missing, row.surplus, row.repaired


def go_astray() -> None:
    """Write past the engine: ben belongs and is out, cleo is in and does not belong."""
    does("ada", "cleo", at=NOW - DAY, plan="trial")
    does("ben", at=NOW - DAY, plan="paid")
    Contact.objects.filter(external_id="ben").update(properties={"plan": "trial"})
    Contact.objects.filter(external_id="cleo").update(properties={"plan": "paid"})


def test_of_a_bucket_as_it_should_be_nobody_is_astray():
    bucket = declare()
    does("ada", "ben", at=NOW - DAY, plan="trial")
    does("ben", at=NOW - HOUR, plan="paid")
    assert report(look(bucket)) == (2, 0, 0, 0)


def test_who_is_astray_is_counted_moved_and_told_of():
    bucket = declare()
    go_astray()
    assert report(look(bucket)) == (3, 1, 1, 2)
    assert inside() == {"ada", "ben"}
    assert sorted(told()[-2:]) == [("entered:b", "reconcile", None), ("left:b", "reconcile", "criteria")]
    assert report(look(bucket)) == (3, 0, 0, 0)


def test_without_repair_it_only_reports():
    bucket = declare()
    go_astray()
    before = told()
    assert report(look(bucket, repair=False)) == (3, 1, 1, 0)
    assert (inside(), told()) == ({"ada", "cleo"}, before)


def test_what_the_clock_has_yet_to_do_is_no_fault():
    bucket = declare(LAPSED)
    does("ada", at=NOW - 8 * DAY)
    assert report(look(bucket)) == (1, 0, 0, 0)
    assert inside() == {"ada"}


@pytest.mark.parametrize(
    "policy", [{"min_dwell": 2 * DAY}, {"max_dwell": HOUR}, {"min_dwell": HOUR, "max_dwell": HOUR}]
)
def test_who_waits_for_a_stay_to_end_and_whom_the_longest_has_ended_are_where_they_belong(policy):
    bucket = declare(**policy)
    does("ada", "ben", at=NOW - DAY, plan="trial")
    does("ben", at=NOW - DAY, plan="paid")
    assert report(look(bucket)) == (2, 0, 0, 0)


def test_who_may_not_join_by_time_alone_is_not_missing():
    bucket = declare(LAPSED, reconcile_joins=False)
    does("ada", at=NOW - 8 * DAY)
    assert report(look(bucket)) == (1, 0, 0, 0)
    assert inside() == set()


def test_it_looks_at_everybody_slice_by_slice(monkeypatch):
    monkeypatch.setattr("buckets.actions.verification.SLICE", 3)
    bucket = declare()
    does(*(f"p{number}" for number in range(10)), at=NOW - DAY, plan="trial")
    BucketMembership.objects.all().delete()
    assert report(look(bucket)) == (10, 10, 0, 10)


def test_it_refuses_what_cannot_be_compared():
    bucket = declare(LAPSED)
    set_enabled(bucket, enabled=False, now=NOW)
    with pytest.raises(NotVerifiableError, match="is off"):
        look(bucket)
    set_enabled(bucket, enabled=True, now=NOW)
    with pytest.raises(NotVerifiableError, match="backfill"):
        look(bucket)
    run_backfill(bucket, now=NOW)
    begin_backfill(bucket, now=NOW)
    with pytest.raises(NotVerifiableError, match="running"):
        look(bucket)
    fixed = Bucket("fixed", name="F", criteria=LAPSED, time_based=False)
    run_backfill(fixed, now=NOW)
    with pytest.raises(NotVerifiableError, match="do not slide"):
        look(fixed)


def test_the_nightly_task_verifies_every_bucket_that_can_be():
    declare()
    Bucket("unborn", name="U", criteria=TRIAL)
    verify_all()
    assert Verification.objects.get().bucket_id == "b"
