"""What journeys write about their person, and calls that they make elsewhere."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership
from contacts.actions import identify
from contacts.models import Contact
from contacts.rules import Keys
from events.models import Event
from hogsend.authoring import hours, journey, prop, send_email
from journeys.actions.lease import claim_due, database_now
from journeys.models import Capture, JourneyRun, JourneyStep, RunStatus
from journeys.reactions import declare_reactions
from journeys.runtime import Outcome, advance_run
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_buckets_but_those_of_the_test():
    with registry.scratch():
        registry._items.clear()
        yield


def known_of(person: Contact) -> dict[str, object]:
    return Contact.objects.get(id=person.id).properties


def test_properties_are_written_once_and_a_replay_leaves_later_ones_alone(world):
    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify({"plan name": "pro"}, seats=3, trial=None)
        ctx.sleep(hours(1))

    ada = world.person(properties={"trial": True, "plan name": "free", "city": "Ulm"})
    world.event(ada, "go")
    world.advance()
    assert known_of(ada) == {"plan name": "pro", "seats": 3, "city": "Ulm"}
    Contact.objects.filter(id=ada.id).update(properties={"plan name": "enterprise"})

    world.wake()

    assert known_of(ada) == {"plan name": "enterprise"}
    assert world.steps()[1] == "identify:start:plan name,seats,trial"
    assert world.run().status == RunStatus.COMPLETED


@pytest.mark.parametrize("cast", [people.ada, people.ben, people.cleo])
def test_whoever_the_person_is_they_are_found_and_get_no_new_key(world, cast):
    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify(plan="pro")

    person = cast()
    world.event(person, "go")

    world.advance()

    now = Contact.objects.get()
    assert now.properties == {"plan": "pro"}
    assert (now.external_id, now.email, now.anonymous_id) == (person.external_id, person.email, person.anonymous_id)
    assert now.keys.count() == person.keys.count()


def test_two_writes_in_a_row_both_count(world):
    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify(plan="trial")
        ctx.identify(plan="pro")

    ada = world.person()
    world.event(ada, "go")

    world.advance()

    assert known_of(ada) == {"plan": "pro"}
    assert world.steps()[1:] == ["identify:start:plan", "identify:start:plan#2"]


def test_what_is_written_moves_the_person_in_buckets_and_starts_what_follows(world):
    bucket = Bucket("vip", name="Very important", criteria=prop("plan").eq("pro"))

    @bucket.on("enter")
    def welcome(user, ctx):
        send_email(user, "hello")

    declare_reactions()

    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify(plan="pro")

    ada = world.person()
    world.event(ada, "go")

    world.advance()

    assert BucketMembership.objects.get(contact=ada).status == "active"
    assert Event.objects.filter(name="bucket:entered:vip").values_list("hop", flat=True).get() == 1
    assert world.sent(ada) == ["hello"]


def test_a_write_that_ends_its_own_run_by_a_bucket_stays_written(world):
    Bucket("vip", name="Very important", criteria=prop("plan").eq("pro"))

    @journey(id="until-vip", trigger="go", exit_on=["bucket:entered:vip"])
    def until_vip(user, ctx):
        ctx.identify(plan="pro")
        send_email(user, "bye")

    ada = world.person()
    world.event(ada, "go")
    [due] = claim_due(now=database_now())

    outcome = advance_run(due)

    assert (outcome, world.run().exit_reason) == (Outcome.EXITED, "bucket:entered:vip")
    assert known_of(ada) == {"plan": "pro"}
    assert world.sent() == []


def test_journeys_that_move_people_in_and_out_of_a_bucket_in_a_circle_come_to_an_end(world, settings):
    settings.HOGSEND_MAX_HOPS = 4
    bucket = Bucket("vip", name="Very important", criteria=prop("plan").eq("pro"))

    @bucket.on("enter")
    def lower(user, ctx):
        ctx.identify(plan="free")

    @bucket.on("leave")
    def raise_(user, ctx):
        ctx.identify(plan="pro")

    declare_reactions()

    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify(plan="pro")

    world.event(world.person(), "go")

    world.advance()

    hops = Event.objects.filter(name__startswith="bucket:").order_by("seq").values_list("hop", flat=True)
    assert list(hops) == [1, 2, 3, 4]
    assert not JourneyRun.objects.filter(status__in=["active", "waiting", "failed"]).exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "TypeError: ctx.identify needs at least one property"),
        ({"at": object()}, "TypeError: What ctx.identify was given is not JSON"),
        ({"text": "a\0b"}, "ValueError: What ctx.identify was given holds a NUL character"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_sentence(world, given, sentence):
    @journey(id="wrong", trigger="go")
    def wrong(user, ctx):
        ctx.identify(given)

    world.event(world.person(), "go")

    world.advance()

    assert sentence in world.run().error


def test_posthog_is_told_in_the_same_transaction_where_it_is_connected(world, settings):
    settings.POSTHOG_API_KEY = "phc_key"

    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        ctx.identify(plan="pro", trial=None)

    world.event(world.person(), "go")

    world.advance()

    capture = Capture.objects.get()
    assert (capture.name, capture.distinct_id) == ("$set", "ada")
    assert capture.properties == {"$set": {"plan": "pro", "trial": None}}
    assert world.run().steps.get(kind="identify").result["capture"] == str(capture.id)


def test_a_run_that_was_taken_over_writes_nothing(world):
    @journey(id="slow", trigger="go")
    def slow(user, ctx):
        JourneyRun.objects.update(lease_token=99)
        ctx.identify(plan="pro")

    ada = world.person()
    world.event(ada, "go")
    [due] = claim_due(now=database_now())

    outcome = advance_run(due)

    assert outcome is Outcome.LOST
    assert known_of(ada) == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(60)
def test_a_journey_and_requests_that_write_about_one_person_at_once_lose_nothing(world, in_thread):
    @journey(id="writer", trigger="go")
    def writer(user, ctx):
        for number in range(10):
            ctx.identify({f"journey{number}": number})

    ada = people.ada()
    world.event(ada, "go")
    [due] = claim_due(now=database_now())
    barrier = threading.Barrier(2, timeout=30)

    def run() -> Outcome:
        barrier.wait()
        return advance_run(due)

    def request() -> None:
        barrier.wait()
        for number in range(10):
            identify(keys=Keys(external="ada"), patch={f"request{number}": number})

    with ThreadPoolExecutor(2) as pool:
        outcome, _ = pool.submit(in_thread(run)), pool.submit(in_thread(request)).result()

    assert outcome.result() is Outcome.COMPLETED
    assert known_of(ada) == {f"{who}{number}": number for who in ("journey", "request") for number in range(10)}


def test_a_step_is_called_with_a_key_of_its_own_and_its_result_recorded(world, facts):
    @journey(id="caller", trigger="go")
    def caller(user, ctx):
        facts.coupon = ctx.step("coupon", lambda key: facts.calls.append(key) or {"code": "X1"})
        ctx.sleep(hours(1))

    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert facts.calls == [f"journeyStep:{world.run().id}:step:coupon"]
    assert facts.coupon == {"code": "X1"}
    assert JourneyStep.objects.get(key="step:coupon").result == {"code": "X1"}


def test_a_step_that_fails_is_called_again_with_the_same_key(world, facts):
    @journey(id="caller", trigger="go")
    def caller(user, ctx):
        def call(key):
            facts.calls.append(key)
            if len(facts.calls) == 1:
                raise OperationalError("the other side's database is away")
            return "done"

        facts.answer = ctx.step("call", call)

    world.event(world.person(), "go")
    world.advance()

    world.wake()

    assert facts.calls == [facts.calls[0]] * 2
    assert facts.answer == "done"
    assert world.run().status == RunStatus.COMPLETED
