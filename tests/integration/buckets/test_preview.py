"""Who would be in a bucket, before it is declared."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership
from buckets.queries import preview
from conditions.event import event
from conditions.property import prop
from contacts.actions import delete_contact, merge_contacts
from contacts.models import Contact
from contacts.pipeline import pipeline
from contacts.rules import Keys
from events.actions import ingest_events
from events.submission import Submission
from hogsend.lib.ids import new_id
from tests.people import ada, ben, cleo, dora

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TRIAL = prop("plan").eq("trial")
MANY = 3000


def did(name: str, person: str, *, at: datetime = NOW) -> None:
    ingest_events([Submission(id=new_id(), name=name, keys=Keys(person), occurred_at=at)], now=at)


def crowd(number: int) -> None:
    Contact.objects.bulk_create(
        Contact(external_id=f"p{place}", properties={}, first_seen_at=NOW, last_seen_at=NOW) for place in range(number)
    )


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def test_those_who_would_be_in_are_counted_among_all_who_live():
    ada(plan="trial")
    ben(plan="paid")
    gone = dora(plan="trial")
    survivor, absorbed = cleo(plan="trial"), Contact.objects.get(external_id="ada")
    delete_contact(contact_id=gone.pk, now=NOW)
    merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff", now=NOW)

    found = preview(TRIAL, now=NOW)

    assert (found.size, found.people_total, found.is_estimate, found.note) == (1, 2, False, "")
    assert found.in_words == "plan is “trial”"
    assert found.took > timedelta(0)


def test_the_sample_shows_the_newest_and_what_the_criteria_look_at():
    ada(plan="trial", seats=3, secret="x")
    second, third = ben(plan="trial"), cleo(plan="trial", seats=None)

    found = preview(TRIAL & (prop("seats").not_exists() | prop("seats").gt(1)), now=NOW, sample=2)

    assert found.size == 3
    assert [(one.id, one.user_id, one.email) for one in found.sample] == [
        (third.pk, "cleo-visit", None),
        (second.pk, str(second.pk), "ben@example.com"),
    ]
    assert found.sample[1].properties == {"plan": "trial"}


def test_nobody_found_is_a_size_of_nothing():
    ada()
    found = preview(TRIAL, now=NOW)
    assert (found.size, found.people_total, found.sample) == (0, 1, [])


def test_a_sample_may_be_left_out():
    ada(plan="trial")
    found = preview(TRIAL, now=NOW, sample=0)
    assert (found.size, found.sample) == (1, [])


@pytest.mark.parametrize(
    ("criteria", "inside"),
    [
        (event("active").exists(), {"ada", "ben", "dora"}),
        (event("active").within(7 * DAY).exists(), {"ada"}),
        (event("active").at_least(2), {"ben"}),
        (event("active").within(7 * DAY).less_than(1) & event("active").exists(), {"ben", "dora"}),
        (event("active").exists() & event("active").within(7 * DAY).never(), {"ben", "dora"}),
        (event("active").within(7 * DAY).exists() | prop("vip").eq(value=True), {"ada", "eve"}),
        # Alone, "not lately" means those who did it once.
        (event("active").within(7 * DAY).never(), {"ben", "dora"}),
    ],
)
def test_events_and_windows_count_as_they_do_in_a_bucket(criteria, inside):
    did("active", "ada", at=NOW - DAY)
    did("active", "ben", at=NOW - 8 * DAY)
    did("active", "ben", at=NOW - 9 * DAY)
    did("active", "dora", at=NOW - 30 * DAY)
    Contact.objects.create(external_id="eve", properties={"vip": True}, first_seen_at=NOW, last_seen_at=NOW)

    found = preview(criteria, now=NOW)

    assert {one.user_id for one in found.sample} == inside
    assert found.size == len(inside)


def test_the_lower_edge_of_a_window_is_within_it():
    did("active", "ada", at=NOW - 7 * DAY)
    criteria = event("active").within(7 * DAY).exists()
    assert preview(criteria, now=NOW).size == 1
    assert preview(criteria, now=NOW + timedelta(milliseconds=1)).size == 0


def test_a_declared_bucket_is_previewed_by_who_belongs_in_it():
    did("active", "ada", at=NOW - 30 * DAY)
    ben()
    with registry.scratch():
        bucket = Bucket("lapsed", name="Lapsed", criteria=event("active").within(7 * DAY).never())

    of_bucket, of_criteria = preview(bucket.belongs, now=NOW), preview(bucket.criteria, now=NOW)

    assert of_bucket.size == 1
    assert replace(of_bucket, took=DAY) == replace(of_criteria, took=DAY)


@pytest.mark.parametrize(
    ("criteria", "hint"),
    [
        (prop("plan").neq("trial"), "what people lack"),
        (event("bucket:entered:b").exists(), "which buckets cause themselves"),
    ],
)
def test_what_no_bucket_may_have_is_counted_all_the_same_and_said(criteria, hint):
    ada()
    found = preview(criteria, now=NOW)
    assert len(found.faults) == 1
    assert hint in found.faults[0]


@pytest.mark.parametrize("value", ["100%", "%s", "it's", "{x}", "a\\b", "'; drop table x; --"])
def test_what_is_compared_with_may_hold_any_sign(value):
    ada(note=f"<{value}>")
    found = preview(prop("note").contains(value), now=NOW)
    assert [one.properties["note"] for one in found.sample] == [f"<{value}>"]


def test_the_plan_is_shown_with_its_cost():
    ada(plan="trial")
    found = preview(TRIAL, now=NOW)
    assert found.cost > 0
    assert "contacts_contact" in found.plan_lines[0]


def test_what_takes_too_long_is_stopped_and_estimated():
    crowd(MANY)
    slow = event("active").at_least(5)
    for number in range(12):
        slow = slow | event(f"active{number}").at_least(5)

    found = preview(slow, now=NOW, timeout=timedelta(milliseconds=1))

    assert found.is_estimate
    assert 0 < found.size <= found.people_total
    assert found.sample == []
    assert found.note == "Counting was stopped after 0.001 seconds; the numbers are what the planner expects."


def test_what_the_database_refuses_for_another_reason_is_raised():
    def refused() -> None:
        with connection.cursor() as cursor:
            cursor.execute("alter table events_event rename to away")
        preview(event("active").exists(), now=NOW)

    with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
        refused()


def test_a_preview_leaves_no_trace_in_a_transaction_that_probes_and_writes_afterwards():
    ada(plan="trial")
    with pipeline():
        pass
    before = [shown(name) for name in ("enable_seqscan", "plan_cache_mode", "statement_timeout")]

    preview(TRIAL, now=NOW)

    assert [shown(name) for name in ("enable_seqscan", "plan_cache_mode", "statement_timeout")] == before
    ben(plan="trial")
    assert (Contact.objects.count(), BucketMembership.objects.count()) == (2, 0)
