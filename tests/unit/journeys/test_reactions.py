from datetime import timedelta

import pytest

from buckets.definitions import Bucket, InvalidBucketError
from buckets.definitions import registry as buckets
from events.definitions import Listener
from events.routing import listeners_of
from hogsend.authoring import days, hours, journey, prop
from hogsend.lib.registry import DuplicateIdError, FrozenRegistryError
from journeys.definitions import index, registry
from journeys.discovery import discover
from journeys.reactions import declare_reactions, journeys_of
from journeys.rules import EntryLimit
from ops.catalogue import declared


@pytest.fixture(autouse=True)
def scratch():
    with registry.scratch(), buckets.scratch():
        registry._items.clear()
        buckets._items.clear()
        yield


def vip(**more) -> Bucket:
    return Bucket(**{"id": "vip", "name": "Very important", "criteria": prop("plan").eq("pro"), **more})


def react(user, ctx):
    pass


def test_a_reaction_becomes_a_journey_without_limits_that_knows_its_bucket():
    bucket = vip().on("enter", react)

    [made] = journeys_of(bucket)

    assert (made.id, made.trigger, made.name) == ("bucket-vip-on-enter", bucket.entered, "Very important — on enter")
    assert (made.entry_limit, made.entry_period, made.suppress) == (EntryLimit.UNLIMITED, None, timedelta(0))
    assert (made.where, made.exit_on, made.enabled, made.category) == ((), (), True, None)
    assert (made.run, made.bucket, made.bucket_id, made.reaction) == (react, bucket, "vip", bucket.reactions[0])
    assert made.source.file == __file__
    assert "bucket-vip-on-enter" not in registry


def test_a_journey_of_its_own_reacts_to_no_bucket():
    plain = journey(id="plain", trigger="go")(react)

    assert (plain.bucket, plain.bucket_id, plain.reaction) == (None, None, None)


def test_filters_are_conditions_on_the_event():
    bucket = vip(max_dwell=days(30)).on("enter", react, first_entry_only=True).on("leave", react, reason="maxDwell")

    enter, leave = journeys_of(bucket)

    assert enter.where == (prop("entryCount").eq(1),)
    assert leave.where == (prop("reason").eq("maxDwell"),)


def test_every_reason_is_no_filter():
    [leave] = journeys_of(vip().on("leave", react, reason=["maxDwell", "criteria"]))

    assert (leave.where, leave.trigger) == ((), "bucket:left:vip")


def test_the_journeys_say_in_words_when_they_run():
    bucket = vip().on("enter", react, first_entry_only=True).on("leave", react, reason="criteria")
    bucket.on("dwell", react, after=days(7)).on("dwell", react, every=hours(1))

    assert [(made.name, made.description) for made in journeys_of(bucket)] == [
        ("Very important — on enter", "Runs when somebody joins “Very important” for the first time."),
        ("Very important — on leave", "Runs when somebody leaves “Very important” (criteria)."),
        ("Very important — on dwell", "Runs when somebody has been in “Very important” for 7 days."),
        (
            "Very important — on dwell",
            "Runs when somebody has been in “Very important” for 1 hour, and again each time as long.",
        ),
    ]


def test_declared_reactions_are_found_by_their_trigger_and_a_second_time_changes_nothing():
    vip().on("enter", react)
    declare_reactions()
    first = index().by_trigger

    declare_reactions()

    assert index().by_trigger == first
    assert [made.id for made in first["bucket:entered:vip"]] == ["bucket-vip-on-enter"]


def test_the_reactions_of_a_bucket_that_is_off_are_off():
    [made] = journeys_of(vip(enabled=False).on("enter", react))

    assert made.enabled is False


def test_reactions_follow_the_filter_of_buckets_and_not_that_of_journeys(settings):
    vip().on("enter", react)
    declare_reactions()
    settings.ENABLED_JOURNEYS = frozenset({"other"})
    assert [made.id for made in index().by_trigger["bucket:entered:vip"]] == ["bucket-vip-on-enter"]

    settings.ENABLED_BUCKETS = frozenset({"other"})

    assert index().by_trigger == {}
    assert set(index().by_id) == {"bucket-vip-on-enter"}
    settings.ENABLED_JOURNEYS, settings.ENABLED_BUCKETS = None, frozenset({"vip"})
    assert set(index().by_trigger) == {"bucket:entered:vip"}


def test_a_journey_with_the_id_of_a_reaction_stops_the_start():
    vip().on("enter", react)
    journey(id="bucket-vip-on-enter", trigger="go")(react)

    with pytest.raises(DuplicateIdError, match=r"collision: the journey 'bucket-vip-on-enter' .* bucket 'vip'"):
        discover()


def test_reactions_are_declared_last_and_none_comes_later():
    bucket = vip().on("enter", react)

    discover()

    assert list(registry)[-1].id == "bucket-vip-on-enter"
    with pytest.raises(InvalidBucketError, match="after the start"):
        bucket.on("leave", react)
    with pytest.raises(FrozenRegistryError):
        journey(id="late", trigger="go")(react)


def test_those_who_listen_to_an_event_are_told_with_their_owner_first(settings):
    journey(id="gift", trigger="bucket:entered:vip", name="A gift", enabled=False)(react)
    journey(id="left-out", trigger="bucket:entered:vip")(react)
    vip().on("enter", react).on("leave", react)
    declare_reactions()
    settings.ENABLED_JOURNEYS = frozenset({"gift"})

    assert listeners_of("bucket:entered:vip") == [
        Listener("journey", "bucket-vip-on-enter", "Very important — on enter", owner="vip"),
        Listener("journey", "gift", "A gift"),
    ]
    assert listeners_of("bucket:entered") == []


def test_the_catalogue_says_whose_reaction_a_journey_is_and_who_is_in_a_bucket():
    vip().on("enter", react)
    journey(id="plain", trigger="go")(react)
    declare_reactions()

    found = {item.id: (item.kind, item.detail, item.enabled) for item in declared()}

    assert found["bucket-vip-on-enter"] == ("journeys", "starts on bucket:entered:vip, for the bucket vip", True)
    assert found["plain"] == ("journeys", "starts on go", True)
    assert found["vip"] == ("buckets", "plan is “pro”", True)


def test_the_hash_of_a_reaction_changes_with_its_filter():
    with buckets.scratch():
        [every] = journeys_of(vip().on("enter", react))
    [first] = journeys_of(vip().on("enter", react, first_entry_only=True))

    assert every.code_hash != first.code_hash
