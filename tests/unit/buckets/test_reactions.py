import json
from datetime import timedelta

import pytest

from buckets.definitions import Bucket, InvalidBucketError, registry
from buckets.models import LeaveReason
from buckets.reactions import REASONS
from buckets.rules import Schedule
from hogsend.authoring import days, hours, prop, seconds


@pytest.fixture(autouse=True)
def _nothing_declared():
    with registry.scratch():
        registry._items.clear()
        yield


def declare(**more) -> Bucket:
    return Bucket(**{"id": "went-dormant", "name": "Went dormant", "criteria": prop("plan").eq("trial"), **more})


def react(user, ctx):
    pass


def one_argument(user):
    pass


async def asynchronous(user, ctx):
    pass


def generator(user, ctx):
    yield


def test_a_decorator_leaves_the_function_as_it_is_and_knows_where_it_stands():
    bucket = declare()

    @bucket.on("enter", first_entry_only=True)
    def hello(user, ctx):
        pass

    [reaction] = bucket.reactions
    assert (reaction.run, reaction.kind, reaction.first_entry_only) == (hello, "enter", True)
    assert (reaction.source.file, reaction.source.line) == (__file__, hello.__code__.co_firstlineno)


def test_with_a_function_the_bucket_comes_back_for_the_next():
    bucket = declare(max_dwell=days(90))

    chained = bucket.on("enter", react).on("leave", react, reason=["maxDwell"]).on("dwell", react, every=hours(1))

    assert chained is bucket
    assert [one.kind for one in bucket.reactions] == ["enter", "leave", "dwell"]
    assert bucket.reactions[1].reasons == {"maxDwell"}
    assert bucket.schedules == (Schedule(hours(1), repeats=True),)


def test_each_kind_has_its_id_and_its_trigger():
    bucket = declare().on("enter", react).on("leave", react)

    bucket.on("dwell", react, after=days(7)).on("dwell", react, every=days(7)).on("dwell", react, after=seconds(0.25))

    assert [(one.journey_id(bucket.id), one.trigger(bucket.id)) for one in bucket.reactions] == [
        ("bucket-went-dormant-on-enter", "bucket:entered:went-dormant"),
        ("bucket-went-dormant-on-leave", "bucket:left:went-dormant"),
        ("bucket-went-dormant-on-dwell-after-604800000", "bucket:dwell:went-dormant:after-604800000"),
        ("bucket-went-dormant-on-dwell-every-604800000", "bucket:dwell:went-dormant:every-604800000"),
        ("bucket-went-dormant-on-dwell-after-250", "bucket:dwell:went-dormant:after-250"),
    ]


@pytest.mark.parametrize("reason", [["criteria", "maxDwell"], {"maxDwell", "criteria"}, ("criteria", "maxDwell")])
def test_every_reason_there_is_means_any_reason(reason):
    assert declare().on("leave", react, reason=reason).reactions[0].reasons == frozenset()


def test_one_reason_may_stand_alone_or_in_a_list():
    assert declare(id="a").on("leave", react, reason="criteria").reactions[0].reasons == {"criteria"}
    assert declare(id="b").on("leave", react, reason=["criteria"]).reactions[0].reasons == {"criteria"}


def test_the_reasons_are_those_of_which_people_are_told():
    assert REASONS == (LeaveReason.CRITERIA, LeaveReason.MAX_DWELL)


@pytest.mark.parametrize(
    ("kind", "wish", "hint"),
    [
        ("join", {}, "no such kind; write one of: enter, leave, dwell"),
        (react, {}, "no such kind"),
        (["enter"], {}, "no such kind"),
        ("enter", {"after": days(1)}, "no option 'after'; it takes first_entry_only"),
        ("enter", {"first_entry": True}, "no option 'first_entry'"),
        ("enter", {"first_entry_only": "no"}, "write True or False"),
        ("leave", {"first_entry_only": True}, "no option 'first_entry_only'; it takes reason"),
        ("leave", {"reason": "boredom"}, "write 'criteria' or 'maxDwell'"),
        ("leave", {"reason": ["criteria", "boredom"]}, "write 'criteria' or 'maxDwell'"),
        ("leave", {"reason": []}, "leave it out for any"),
        ("leave", {"reason": None}, "leave it out for any"),
        ("leave", {"reason": (one for one in ["criteria"])}, "leave it out for any"),
        ("leave", {"reason": [["criteria"]]}, "leave it out for any"),
        ("leave", {"reason": "maxDwell"}, "the bucket has no max_dwell"),
        ("dwell", {}, "exactly one of"),
        ("dwell", {"after": days(1), "every": days(1)}, "exactly one of"),
        ("dwell", {"after": days(1), "reason": "criteria"}, "no option 'reason'; it takes after or every"),
        ("dwell", {"after": None}, "write a positive duration"),
        ("dwell", {"every": 3600}, "write a positive duration"),
        ("dwell", {"after": timedelta(0)}, "write a positive duration"),
        ("dwell", {"every": -days(1)}, "write a positive duration"),
        ("dwell", {"after": timedelta(microseconds=1500)}, "whole milliseconds"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_where_it_is_written(kind, wish, hint):
    bucket = declare()

    with pytest.raises(InvalidBucketError, match=hint) as refused:
        bucket.on(kind, **wish)

    assert "'went-dormant' cannot react on" in str(refused.value)
    assert bucket.reactions == []


@pytest.mark.parametrize(
    ("run", "hint"),
    [
        (None, "needs a function"),
        ("react", "needs a function"),
        (json.JSONEncoder, "needs a function"),
        (one_argument, "must take two arguments"),
        (asynchronous, "remove async and yield"),
        (generator, "remove async and yield"),
    ],
)
def test_what_is_no_function_of_two_arguments_is_refused_in_both_forms(run, hint):
    bucket = declare()

    with pytest.raises(InvalidBucketError, match=hint):
        bucket.on("enter", run)
    with pytest.raises(InvalidBucketError, match=hint):
        bucket.on("enter")(run)

    assert bucket.reactions == []


def test_a_refusal_is_a_value_error():
    with pytest.raises(ValueError, match="went-dormant"):
        declare().on("dwell")


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("enter", {}, {"first_entry_only": True}),
        ("leave", {}, {"reason": "criteria"}),
        ("dwell", {"after": days(7)}, {"after": hours(168)}),
    ],
)
def test_two_reactions_of_one_id_collide_and_the_first_is_named(kind, first, second):
    bucket = declare().on(kind, react, **first)

    with pytest.raises(InvalidBucketError, match=r"collision: .*test_reactions.py:\d+ makes the journey 'bucket-went"):
        bucket.on(kind, react, **second)

    assert len(bucket.reactions) == 1


def test_after_the_start_no_reaction_comes_in_any_more():
    bucket = declare()
    bucket.close()

    with pytest.raises(InvalidBucketError, match="after the start"):
        bucket.on("enter", react)


def test_a_decorator_that_was_put_above_nothing_stops_the_start():
    bucket = declare()
    bucket.on("enter")(react)
    bucket.on("dwell", after=days(30))

    with pytest.raises(InvalidBucketError, match=r"on 'dwell': .*test_reactions.py:\d+ lacks a function"):
        bucket.close()
