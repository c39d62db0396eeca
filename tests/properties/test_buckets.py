"""Whatever happens in whatever order: when all is quiet, exactly those are in a bucket who belong there."""

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from buckets.actions import reconcile
from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership, WindowEdge
from conditions.event import event
from conditions.property import prop
from conditions.tree import Person
from contacts.actions import MergeError, delete_contact, undo_merge
from contacts.models import Contact, ContactMerge
from contacts.queries import contact_by_key
from contacts.rules import Keys, MergeNeededError
from events.actions import ingest_events, ingest_merging
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
MERGE_CRITERIA = {
    **CRITERIA,
    "quiet or trial": event("x").within(DAY).never() | prop("plan").eq("trial"),
    "only quiet": event("y").within(DAY).never(),
    "seldom": event("x").less_than(2),
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


Anonymous = st.sampled_from(["anon-1", "anon-2"])
Roams = st.tuples(st.just("roam"), Anonymous, st.sampled_from("xy"), st.sampled_from([0, 0, 5, 30]))
Appears = st.tuples(st.just("appear"), st.sampled_from(PEOPLE), Anonymous)
Says_anonymously = st.tuples(st.just("hint"), Anonymous, st.sampled_from(["trial", "paid"]))
Undoes = st.tuples(st.just("undo"))
MergeStories = st.lists(
    st.one_of(Happens, Says, Waits, Goes, Roams, Roams, Appears, Appears, Says_anonymously, Undoes),
    min_size=2,
    max_size=20,
)


TWO = [("event", "ada", "y", 0), ("roam", "anon-1", "x", 0), ("hint", "anon-1", "trial"), ("roam", "anon-1", "x", 5)]


@SETTINGS
@example(story=[*TWO, ("appear", "ada", "anon-1")])
@example(story=[*TWO, ("appear", "ada", "anon-1"), ("undo",)])
@example(story=[*TWO, ("event", "ada", "x", 0), ("appear", "ada", "anon-1"), ("wait", 25, True), ("undo",)])
@given(story=MergeStories)
def test_after_merges_and_their_undoing_members_are_those_who_belong_by_what_is_stored(story):
    with registry.scratch():
        registry._items.clear()
        buckets = [Bucket(f"b{n}", name=name, criteria=one) for n, (name, one) in enumerate(MERGE_CRITERIA.items())]
        world = begin(buckets)
        for act in story:
            play_merging(act, world, buckets)
        world.now += timedelta(seconds=1)
        tick(world, buckets)

        for bucket in buckets:
            rows = BucketMembership.objects.filter(bucket_id=bucket.id, status="active")
            assert set(rows.values_list("contact_id", flat=True)) == stored_who_belong(bucket, world), bucket.name
    assert_all_moves_told()


def play_merging(act: tuple, world: World, buckets: list[Bucket]) -> None:
    match act:
        case ("roam", whom, name, hours_ago):
            world.now += timedelta(seconds=7)
            send(Keys(anonymous=whom), name, world, at=world.now - hours_ago * HOUR)
        case ("hint", whom, plan):
            world.now += timedelta(seconds=7)
            send(Keys(anonymous=whom), "said", world, patch={"plan": plan})
        case ("appear", who, whom):
            world.now += timedelta(seconds=7)
            send(Keys(who, anonymous=whom), "seen", world)
        case ("undo",):
            undo_latest(world)
        case _:
            play(act, world, buckets)


def send(keys: Keys, name: str, world: World, *, at: datetime | None = None, patch: dict | None = None) -> None:
    sent = Submission(id=new_id(), name=name, keys=keys, patch=patch, occurred_at=at)
    try:
        with transaction.atomic():
            ingest_events([sent], now=world.now)
    except MergeNeededError:
        ingest_merging(sent, now=world.now)


def undo_latest(world: World) -> None:
    latest = ContactMerge.objects.filter(undone_at=None).order_by("-created_at", "-id").first()
    if latest is not None:
        with suppress(MergeError):
            undo_merge(merge_id=latest.pk, actor="test", now=world.now)


def stored_who_belong(bucket: Bucket, world: World) -> set[Any]:
    """Judge in Python, by the rows of contacts and events."""
    return {
        contact.pk
        for contact in Contact.objects.filter(deleted_at=None)
        if bucket.belongs.is_true_of(
            Person(world.now, contact.properties, list(contact.events.values_list("name", "occurred_at")))
        )
    }


def assert_all_moves_told() -> None:
    """Each stay began and ended in as many events; those that ended by a merge, its undoing or a deletion in none."""
    told = Counter(
        (row.properties["bucketId"], row.properties["transition"])
        for row in Event.objects.filter(name__startswith="bucket:")
    )
    expected: Counter[tuple[str, str]] = Counter()
    for stay in BucketMembership.objects.all():
        expected[stay.bucket_id, "entered"] += 1
        expected[stay.bucket_id, "left"] += stay.leave_reason == "criteria"
    assert told == +expected


def begin(buckets: list[Bucket]) -> World:
    ContactMerge.objects.all().delete()
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
