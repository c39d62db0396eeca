"""Waiting for something to happen: whichever comes first, seen exactly once, lost never."""

import json
from datetime import timedelta
from typing import Any

import pytest

from contacts.actions import merge_contacts, undo_merge
from contacts.models import Contact, ContactKey, ContactMerge
from contacts.rules import EXTERNAL, Keys
from events.submission import Answer, Submission
from events.submit import run as submit
from hogsend.authoring import days, exit_rule, hours, journey, prop, send_email
from hogsend.lib.ids import new_id
from journeys.actions import retry_run
from journeys.actions.end import cancel_run
from journeys.actions.lease import database_now
from journeys.models import EventWaiter, JourneyRun, JourneyStep, RunStatus, Wakeup

pytestmark = pytest.mark.django_db


def waiting(facts: Any, **options: Any) -> None:
    """Declare a journey that waits for ``paid`` and notes what came."""

    @journey(id="waits", trigger="go", exit_on=[exit_rule("stop")])
    def waits(user, ctx):
        facts.calls.append(ctx.wait_for_event("paid", **{"timeout": days(3), **options}))
        send_email(user, "hello")


def outside(key: str, name: str, **properties: Any) -> None:
    """Something is told from outside, by the short way if it concerns nobody."""
    sent = Submission(
        id=new_id(), name=name, keys=Keys(key), properties=properties, properties_json=json.dumps(properties)
    )
    [answer] = submit([sent])
    assert isinstance(answer, Answer), answer


def known(world: Any, key: str = "ada") -> Contact:
    """Somebody who can be found from outside."""
    person: Contact = world.person(key)
    ContactKey.objects.create(kind=EXTERNAL, value=key, contact=person)
    return person


def begin(world: Any) -> Contact:
    ada = known(world)
    world.event(ada, "go")
    world.advance()
    assert world.run().status == RunStatus.WAITING
    return ada


def time_runs_out() -> None:
    past = database_now() - timedelta(seconds=1)
    Wakeup.objects.update(due_at=past, claimed_until=None)
    JourneyStep.objects.filter(status="pending").update(deadline=past)


def test_an_event_that_comes_ends_the_wait_with_its_properties(world, facts):
    waiting(facts)
    begin(world)
    assert (world.run().node, EventWaiter.objects.get().event_name) == ("wait-event:paid", "paid")

    outside("ada", "paid", amount=12, nested={"a": [1]})
    world.advance()

    [came] = facts.calls
    assert (bool(came), came.timed_out, came.properties) == (True, False, {"amount": 12, "nested": {"a": [1]}})
    assert came.occurred_at is not None
    assert (world.sent(), world.run().status) == (["hello"], RunStatus.COMPLETED)
    assert (EventWaiter.objects.count(), Wakeup.objects.count()) == (0, 0)


def test_an_event_of_the_engine_ends_a_wait_too(world, facts):
    waiting(facts)
    ada = begin(world)
    world.event(ada, "paid", amount=1)
    world.advance()
    assert facts.calls[0].properties == {"amount": 1}


def test_when_nothing_comes_the_wait_is_over_at_its_deadline(world, facts):
    waiting(facts)
    begin(world)
    step = JourneyStep.objects.get(status="pending")
    assert step.deadline - step.created_at == days(3)

    time_runs_out()
    world.advance()

    [came] = facts.calls
    assert (bool(came), came.timed_out, came.properties, came.occurred_at) == (False, True, None, None)
    assert (world.run().status, EventWaiter.objects.count(), Wakeup.objects.count()) == (RunStatus.COMPLETED, 0, 0)


def test_what_came_in_time_counts_also_where_the_run_goes_on_too_late(world, facts):
    waiting(facts)
    begin(world)
    outside("ada", "paid", amount=7)
    Wakeup.objects.update(due_at=database_now() - timedelta(seconds=1))
    JourneyStep.objects.filter(status="pending").update(deadline=database_now())
    world.advance()
    assert facts.calls[0].properties == {"amount": 7}


def test_what_came_after_the_deadline_does_not_count(world, facts):
    waiting(facts)
    begin(world)
    time_runs_out()
    outside("ada", "paid", amount=7)
    world.advance()
    assert facts.calls[0].timed_out


def test_an_event_that_does_not_fit_leaves_the_run_waiting(world, facts):
    waiting(facts, where=prop("amount").gt(10))
    begin(world)
    outside("ada", "paid", amount=5)
    outside("ada", "other", amount=50)
    world.advance()
    assert (facts.calls, world.run().status, EventWaiter.objects.count()) == ([], RunStatus.WAITING, 1)
    outside("ada", "paid", amount=50)
    world.advance()
    assert facts.calls[0].properties == {"amount": 50}


def test_conditions_may_hold_any_sign(world, facts):
    waiting(facts, where=[prop("100% {x} 'y'").eq("%s {}"), prop("amount").gt(1)])
    begin(world)
    outside("ada", "paid", **{"100% {x} 'y'": "%s {}", "amount": 2})
    world.advance()
    assert bool(facts.calls[0])


def test_of_others_and_of_before_nothing_counts(world, facts):
    waiting(facts)
    ada, _ = known(world), known(world, "ben")
    world.event(ada, "paid", amount=1)
    world.event(ada, "go")
    world.advance()
    outside("ben", "paid", amount=2)
    world.advance()
    assert facts.calls == []


def test_a_lookback_takes_what_has_just_happened(world, facts):
    waiting(facts, lookback=hours(1))
    ada = known(world)
    world.event(ada, "paid", amount=1)
    world.event(ada, "go")
    world.advance()
    assert (facts.calls[0].properties, world.run().status) == ({"amount": 1}, RunStatus.COMPLETED)


def test_a_lookback_goes_no_further_back_than_it_says(world, facts):
    waiting(facts, lookback=hours(1))
    ada = known(world)
    sent = Submission(id=new_id(), name="paid", keys=Keys("ada"), properties={}, occurred_at=database_now() - hours(2))
    submit([sent])
    world.event(ada, "go")
    world.advance()
    assert facts.calls == []


def test_the_first_of_several_events_counts_and_each_wait_has_its_own(world, facts):
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        facts.calls.append(ctx.wait_for_event("paid", timeout=days(3)).properties)
        facts.calls.append(ctx.wait_for_event("paid", timeout=days(3)).properties)

    begin(world)
    outside("ada", "paid", n=1)
    outside("ada", "paid", n=2)
    world.advance()
    assert (facts.calls[-1], world.run().node) == ({"n": 1}, "wait-event:paid#2")
    outside("ada", "paid", n=3)
    world.advance()
    assert facts.calls[-1] == {"n": 3}


def test_no_wait_is_too_long(world, facts):
    waiting(facts, timeout=days(400))
    begin(world)
    step = JourneyStep.objects.get(status="pending")
    assert step.deadline - step.created_at == days(400)


def test_an_exit_ends_the_wait_and_leaves_nothing_behind(world, facts):
    waiting(facts)
    begin(world)
    outside("ada", "stop")
    assert (world.run().status, EventWaiter.objects.count(), Wakeup.objects.count()) == (RunStatus.EXITED, 0, 0)


def test_a_run_that_is_cancelled_waits_for_nothing(world, facts):
    waiting(facts)
    begin(world)
    cancel_run(run_id=world.run().id, reason="test")
    assert (EventWaiter.objects.count(), Wakeup.objects.count()) == (0, 0)


def test_a_failed_run_that_is_retried_knows_what_it_had_heard_before(world, facts):
    @journey(id="fragile", trigger="go")
    def fragile(user, ctx):
        facts.calls.append(ctx.wait_for_event("paid", timeout=days(3)).properties)
        if len(facts.calls) == 1:
            raise RuntimeError("broken")
        ctx.wait_for_event("done", timeout=days(3))

    begin(world)
    outside("ada", "paid", n=1)
    world.advance()
    assert world.run().status == RunStatus.FAILED
    retry_run(run_id=world.run().id)
    world.advance()
    assert (facts.calls, EventWaiter.objects.get().event_name) == ([{"n": 1}, {"n": 1}], "done")


def test_a_merge_takes_the_wait_along_and_its_undoing_gives_it_back(world, facts):
    waiting(facts)
    ada, ben = begin(world), known(world, "ben")
    now = database_now()
    merge_contacts(survivor_id=ben.id, absorbed_id=ada.id, actor="test", now=now)
    world.advance()
    assert (EventWaiter.objects.get().contact_id, facts.calls) == (ben.id, [])
    undo_merge(merge_id=ContactMerge.objects.get().pk, actor="test", now=now)
    world.advance()
    assert EventWaiter.objects.get().contact_id == ada.id
    outside("ben", "paid", n=1)
    world.advance()
    assert facts.calls == []
    outside("ada", "paid", n=2)
    world.advance()
    assert facts.calls[0].properties == {"n": 2}


def test_what_a_survivor_has_done_since_ends_the_wait_of_the_absorbed(world, facts):
    waiting(facts)
    ada, ben = begin(world), known(world, "ben")
    outside("ben", "paid", n=1)
    merge_contacts(survivor_id=ben.id, absorbed_id=ada.id, actor="test", now=database_now())
    world.advance()
    assert facts.calls[0].properties == {"n": 1}


def test_what_is_too_large_for_a_journal_keeps_its_plain_values(world, facts):
    waiting(facts)
    begin(world)
    outside("ada", "paid", amount=1, big=["x" * 1000] * 60)
    world.advance()
    assert facts.calls[0].properties == {"amount": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"event": ""}, "exact name"),
        ({"timeout": 3}, "takes a duration"),
        ({"timeout": days(-1)}, "negative"),
        ({"lookback": "1h"}, "takes a duration"),
        ({"where": {"type": "property", "property": "x", "operator": "eq"}}, "'eq' on the property"),
    ],
)
def test_what_could_never_be_waited_for_fails_the_run_with_a_sentence(world, arguments, sentence):
    @journey(id="wrong", trigger="go")
    def wrong(user, ctx):
        ctx.wait_for_event(**{"event": "paid", "timeout": days(1), **arguments})

    world.event(world.person(), "go")
    world.advance()
    run = JourneyRun.objects.get()
    assert run.status == RunStatus.FAILED
    assert sentence in run.error
