"""Reactions of buckets as runs: what lets people in, and what the function is told."""

import pytest

from buckets.definitions import Bucket, registry
from contacts.rules import Keys
from events.actions import ingest_events
from events.submission import Submission
from hogsend.authoring import Context, ReactionContext, days, exit_rule, hours, journey, minutes, prop, send_email
from hogsend.lib.ids import new_id
from journeys.actions.lease import database_now
from journeys.models import EnrolmentSkip, JourneyOverride, JourneyRun, RunStatus, Wakeup
from journeys.reactions import declare_reactions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_buckets_but_those_of_the_test():
    with registry.scratch():
        registry._items.clear()
        yield


def vip(**more) -> Bucket:
    return Bucket(**{"id": "vip", "name": "Very important", "criteria": prop("plan").eq("pro"), **more})


def skips() -> list[tuple[str, str]]:
    return list(EnrolmentSkip.objects.order_by("id").values_list("journey_id", "reason"))


def seen(ctx: ReactionContext) -> tuple[int, bool, str, int]:
    return ctx.entry_count, ctx.is_first_entry, ctx.reason, ctx.dwell_count


def test_who_joins_a_bucket_gets_a_mail_of_its_reaction(world):
    bucket = vip()

    @bucket.on("enter")
    def hello(user, ctx):
        send_email(user, "hello")
        ctx.sleep(hours(1))
        send_email(user, "bye")

    declare_reactions()
    keys = Keys("ada", email="ada@example.com")
    upgrade = Submission(id=new_id(), name="plan.changed", keys=keys, patch={"plan": "pro"})
    ingest_events([upgrade], now=database_now())

    world.advance()
    assert (world.sent(), world.run().journey_id) == (["hello"], "bucket-vip-on-enter")
    world.wake()

    assert (world.sent(), world.run().status) == (["hello", "bye"], RunStatus.COMPLETED)


def test_the_function_is_told_what_the_transition_was_like(world, facts):
    bucket = vip()
    for kind, wish in (("enter", {}), ("leave", {}), ("dwell", {"every": days(7)})):
        bucket.on(kind, lambda user, ctx: facts.calls.append(seen(ctx)), **wish)
    declare_reactions()
    ada = world.person()

    world.event(ada, "bucket:entered:vip", entryCount=3)
    world.event(ada, "bucket:left:vip", entryCount=3, reason="maxDwell")
    world.event(ada, "bucket:dwell:vip:every-604800000", entryCount=1, dwellCount=5)
    world.advance()

    assert facts.calls == [(3, False, "criteria", 1), (3, False, "maxDwell", 1), (1, True, "criteria", 5)]


def test_what_an_event_does_not_tell_is_the_first_time_by_the_criteria(world, facts):
    vip().on("enter", lambda user, ctx: facts.calls.append(seen(ctx)))
    declare_reactions()

    world.event(world.person(), "bucket:entered:vip", entryCount="many", reason=7)
    world.advance()

    assert facts.calls == [(1, True, "criteria", 1)]


def test_a_reaction_can_all_that_a_journey_can_and_other_journeys_do_not_know_of_transitions(world, facts):
    @journey(id="plain", trigger="bucket:entered:vip")
    def plain(user, ctx):
        facts.calls.append((type(ctx), hasattr(ctx, "entry_count")))

    @vip().on("enter")
    def hello(user, ctx):
        ctx.checkpoint("begun")
        assert ctx.guard.is_subscribed()
        assert ctx.history.has_event("bucket:entered:vip")
        ctx.sleep(minutes(5))
        assert ctx.once("number", lambda: 7) == 7
        facts.calls.append((type(ctx), ctx.entry_count))

    declare_reactions()
    world.event(world.person(), "bucket:entered:vip", entryCount=2)

    world.advance()
    world.wake()

    assert facts.calls == [(Context, False), (ReactionContext, 2)]


def test_who_joins_again_is_skipped_by_a_reaction_to_the_first_time_and_the_reason_is_stored(world, facts):
    vip().on("enter", lambda user, ctx: facts.calls.append(ctx.entry_count), first_entry_only=True)
    declare_reactions()
    ada = world.person()

    for count in (1, 2):
        world.event(ada, "bucket:entered:vip", entryCount=count)
        world.advance()

    assert facts.calls == [1]
    assert skips() == [("bucket-vip-on-enter", "trigger_conditions_not_met")]


@pytest.mark.parametrize(
    ("wish", "runs"),
    [
        ({}, ["criteria", "maxDwell"]),
        ({"reason": "criteria"}, ["criteria"]),
        ({"reason": ["maxDwell"]}, ["maxDwell"]),
        ({"reason": ["maxDwell", "criteria"]}, ["criteria", "maxDwell"]),
    ],
)
def test_who_leaves_for_another_reason_is_skipped(world, facts, wish, runs):
    vip(max_dwell=days(30)).on("leave", lambda user, ctx: facts.calls.append(ctx.reason), **wish)
    declare_reactions()
    ada = world.person()

    for reason in ("criteria", "maxDwell"):
        world.event(ada, "bucket:left:vip", reason=reason)
        world.advance()

    assert facts.calls == runs
    assert [reason for _, reason in skips()] == ["trigger_conditions_not_met"] * (2 - len(runs))


def test_dwells_of_several_lengths_are_journeys_of_their_own(world, facts):
    bucket = vip()
    bucket.on("dwell", lambda user, ctx: facts.calls.append("after"), after=days(7))
    bucket.on("dwell", lambda user, ctx: facts.calls.append("every"), every=days(7))
    declare_reactions()

    world.event(world.person(), "bucket:dwell:vip:after-604800000")
    world.advance()

    assert facts.calls == ["after"]


def test_a_reaction_runs_as_often_as_it_happens(world, facts):
    vip().on("enter", lambda user, ctx: facts.calls.append(ctx.entry_count))
    declare_reactions()
    ada = world.person()

    for count in (1, 2, 3):
        world.event(ada, "bucket:entered:vip", entryCount=count)
        world.advance()

    assert facts.calls == [1, 2, 3]
    assert set(JourneyRun.objects.values_list("status", flat=True)) == {RunStatus.COMPLETED}


def test_a_reaction_still_under_way_is_not_begun_twice(world):
    vip().on("enter", lambda user, ctx: ctx.sleep(days(1)))
    declare_reactions()
    ada = world.person()
    world.event(ada, "bucket:entered:vip", entryCount=1)

    world.event(ada, "bucket:entered:vip", entryCount=2)

    assert skips() == [("bucket-vip-on-enter", "already_active")]


def test_staff_can_switch_one_reaction_off(world):
    vip().on("enter", lambda user, ctx: None)
    declare_reactions()
    JourneyOverride.objects.create(journey_id="bucket-vip-on-enter", enabled=False)

    world.event(world.person(), "bucket:entered:vip", entryCount=1)

    assert skips() == [("bucket-vip-on-enter", "journey_disabled_by_admin")]


def test_a_bucket_switched_off_in_code_lets_nobody_into_its_reactions(world):
    vip(enabled=False).on("enter", lambda user, ctx: None)
    declare_reactions()

    world.event(world.person(), "bucket:entered:vip", entryCount=1)

    assert not JourneyRun.objects.exists()


def test_leaving_the_bucket_can_end_a_journey_that_entering_began(world):
    journey(id="gift", trigger="bucket:entered:vip", exit_on=[exit_rule("bucket:left:vip")])(
        lambda user, ctx: ctx.sleep(days(1))
    )
    ada = world.person()
    world.event(ada, "bucket:entered:vip")
    world.advance()

    world.event(ada, "bucket:left:vip", reason="criteria")

    assert world.run().status == RunStatus.EXITED


def test_runs_of_a_bucket_that_is_left_out_wait_and_say_which_setting_to_change(world, facts, settings):
    vip().on("enter", lambda user, ctx: facts.calls.append(1))
    declare_reactions()
    world.event(world.person(), "bucket:entered:vip")
    settings.ENABLED_BUCKETS, settings.ENABLED_JOURNEYS = frozenset({"other"}), frozenset({"bucket-vip-on-enter"})

    world.advance()

    assert facts.calls == []
    assert "ENABLED_BUCKETS leaves out 'vip'" in world.run().error
    settings.ENABLED_BUCKETS = frozenset({"vip"})
    Wakeup.objects.update(claimed_until=None)
    world.wake()
    assert facts.calls == [1]
