"""Whatever happens in whatever order: when all is quiet, exactly those are in a bucket who belong there."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buckets.actions import reconcile
from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership, WindowEdge
from conditions.event import event
from conditions.property import prop
from conditions.tree import Person
from contacts.actions import delete_contact
from contacts.models import Contact
from contacts.queries import contact_by_key
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.lib.ids import new_id

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CRITERIA = {
    "trial": prop("plan").eq("trial"),
    "busy": event("x").within(2 * DAY).at_least(2),
    "lapsed": event("x").exists() & event("x").within(DAY).never(),
    "once": event("x").within(3 * DAY).exactly(1),
    "few": event("y").exists() & event("x").within(2 * DAY).less_than(2),
    "either": event("y").within(DAY).exists() | (prop("plan").eq("trial") & event("x").within(4 * DAY).exists()),
    "not paid": prop("plan").neq("paid") & event("x").exists(),
}
PEOPLE = ["ada", "ben", "cleo"]


@dataclass
class World:
    """The independent memory: what was said and done, by person."""

    now: datetime
    plans: dict[str, Any]
    events: dict[str, list[tuple[str, datetime]]]
    known: set[str]


Happens = st.tuples(
    st.just("event"), st.sampled_from(PEOPLE), st.sampled_from("xy"), st.sampled_from([0, 0, 0, 5, 30, -6])
)
Says = st.tuples(st.just("plan"), st.sampled_from(PEOPLE), st.sampled_from(["trial", "paid", None]))
Goes = st.tuples(st.just("delete"), st.sampled_from(PEOPLE))
Waits = st.tuples(st.just("wait"), st.sampled_from([1, 10, 24, 25, 60]), st.booleans())
Stories = st.lists(st.one_of(Happens, Happens, Says, Waits, Goes), min_size=1, max_size=20)


@SETTINGS
@given(story=Stories)
def test_members_are_those_who_belong_and_every_move_is_told_once(story):
    with registry.scratch():
        registry._items.clear()
        buckets = [Bucket(f"b{n}", name=name, criteria=criteria) for n, (name, criteria) in enumerate(CRITERIA.items())]
        world = begin(buckets)
        for act in story:
            play(act, world, buckets)
        world.now += timedelta(seconds=1)
        tick(world, buckets)

        for bucket in buckets:
            assert members(bucket) == {who for who in world.known if belongs(bucket, who, world)}, bucket.name
    assert_alternating()


def begin(buckets: list[Bucket]) -> World:
    Contact.objects.all().delete()
    Event.objects.all().delete()
    WindowEdge.objects.all().delete()
    world = World(START, {}, defaultdict(list), set())
    tick(world, buckets)
    return world


def play(act: tuple, world: World, buckets: list[Bucket]) -> None:
    world.now += timedelta(seconds=7)
    match act:
        case ("event", who, name, hours_ago):
            at = world.now - hours_ago * HOUR
            world.events[who].append((name, at))
            come(who, name, world, at=at)
        case ("plan", who, plan):
            world.plans[who] = plan
            come(who, "said", world, patch={"plan": plan})
        case ("delete", who):
            forget(who, world)
        case ("wait", hours, ticked):
            world.now += hours * HOUR
            if ticked:
                tick(world, buckets)


def come(who: str, name: str, world: World, *, at: datetime | None = None, patch: dict | None = None) -> None:
    world.known.add(who)
    sent = Submission(id=new_id(), name=name, keys=Keys(who), patch=patch, occurred_at=at)
    ingest_events([sent], now=world.now)


def forget(who: str, world: World) -> None:
    contact = contact_by_key(kind="external", value=who)
    if contact is not None:
        delete_contact(contact_id=contact.pk, now=world.now)
    world.known.discard(who)
    world.plans.pop(who, None)
    world.events.pop(who, None)


def tick(world: World, buckets: list[Bucket]) -> None:
    for bucket in buckets:
        reconcile(bucket, now=world.now)


def belongs(bucket: Bucket, who: str, world: World) -> bool:
    plan = world.plans.get(who)
    properties = {} if plan is None else {"plan": plan}
    return bucket.criteria.is_true_of(Person(world.now, properties, world.events[who]))


def members(bucket: Bucket) -> set[str]:
    rows = BucketMembership.objects.filter(bucket_id=bucket.id, status="active")
    return set(rows.values_list("contact__external_id", flat=True))


def assert_alternating() -> None:
    """Each person enters, leaves, enters …, told once each; only a deletion ends a stay in silence."""
    told = defaultdict(list)
    for row in Event.objects.filter(name__startswith="bucket:").order_by("seq"):
        _, transition, bucket_id = row.name.split(":")
        told[row.contact_id, bucket_id].append((transition, row.properties["entryCount"]))
    stays = BucketMembership.objects.order_by("entry_number")
    expected = defaultdict(list)
    for stay in stays:
        expected[stay.contact_id, stay.bucket_id].append(("entered", stay.entry_number))
        if stay.leave_reason == "criteria":
            expected[stay.contact_id, stay.bucket_id].append(("left", stay.entry_number))
    assert told == expected
