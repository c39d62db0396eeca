from datetime import timedelta

import pytest

from hogsend.authoring import exit_rule, hours, journey, prop
from journeys.models import EnrolmentSkip, JourneyOverride, JourneyRun, RunStatus, Wakeup
from preferences.models import Preference

pytestmark = pytest.mark.django_db


def empty(user, ctx):
    pass


def reasons() -> list[str]:
    return [skip.reason for skip in EnrolmentSkip.objects.order_by("id")]


def test_a_trigger_event_begins_a_run_that_is_due_at_once(world):
    welcome = journey(id="welcome", trigger="signed.up")(empty)
    ada = world.person()

    event = world.event(ada, "signed.up", plan="trial", seats=3, vip=True, note=None, nested={"a": 1}, many=[1])

    run = JourneyRun.objects.get()
    assert (run.contact_id, run.journey_id, run.status, run.node) == (ada.id, "welcome", RunStatus.ACTIVE, "start")
    assert run.context == {"plan": "trial", "seats": 3, "vip": True, "note": None}
    assert (run.trigger_event_id, run.entry_number, run.code_hash) == (event.id, 1, welcome.code_hash)
    wakeup = Wakeup.objects.get()
    assert (wakeup.run_id, wakeup.reason, wakeup.due_at) == (run.id, "start", run.created_at)


def test_an_event_of_another_name_begins_nothing(world):
    journey(id="welcome", trigger="signed.up")(empty)

    world.event(world.person(), "signed.up.again")

    assert not JourneyRun.objects.exists()
    assert reasons() == []


def test_one_event_begins_every_journey_that_listens_to_it(world):
    journey(id="one", trigger="signed.up")(empty)
    journey(id="two", trigger="signed.up")(empty)

    world.event(world.person(), "signed.up")

    assert sorted(JourneyRun.objects.values_list("journey_id", flat=True)) == ["one", "two"]


def test_a_journey_switched_off_in_code_lets_nobody_in_and_stores_no_reason(world):
    journey(id="off", trigger="signed.up", enabled=False)(empty)

    world.event(world.person(), "signed.up")

    assert not JourneyRun.objects.exists()
    assert reasons() == []


def test_a_journey_left_out_by_the_filter_lets_nobody_in(world, settings):
    settings.ENABLED_JOURNEYS = frozenset({"other"})
    journey(id="welcome", trigger="signed.up")(empty)

    world.event(world.person(), "signed.up")

    assert not JourneyRun.objects.exists()


def test_staff_can_switch_a_journey_off(world):
    journey(id="welcome", trigger="signed.up", where=prop("plan").eq("paid"))(empty)
    JourneyOverride.objects.create(journey_id="welcome", enabled=False)

    world.event(world.person(), "signed.up")

    assert reasons() == ["journey_disabled_by_admin"]
    assert not JourneyRun.objects.exists()


def test_the_event_must_meet_the_conditions_before_anything_else_about_the_person_counts(world):
    journey(id="welcome", trigger="signed.up", where=[prop("plan").eq("trial"), prop("seats").gte(2)])(empty)
    ada = world.person()
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    world.event(ada, "signed.up", plan="trial", seats=1)

    assert reasons() == ["trigger_conditions_not_met"]


@pytest.mark.parametrize("status", [RunStatus.ACTIVE, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.EXITED])
def test_once_counts_an_entry_whatever_became_of_it(world, status):
    journey(id="welcome", trigger="signed.up")(empty)
    ada = world.person()
    world.event(ada, "signed.up")
    JourneyRun.objects.update(status=status)

    world.event(ada, "signed.up")

    assert reasons() == ["already_entered_once"]
    assert JourneyRun.objects.count() == 1


def test_a_period_is_over_exactly_when_it_has_passed(world):
    journey(id="again", trigger="came.back", entry_limit="once_per_period", entry_period=hours(2))(empty)
    early, exact = world.person("early"), world.person("exact")
    for person in (early, exact):
        world.event(person, "came.back")
    JourneyRun.objects.update(status=RunStatus.COMPLETED)
    world_now = JourneyRun.objects.first().created_at

    JourneyRun.objects.filter(contact=exact).update(created_at=world_now - timedelta(hours=2))
    JourneyRun.objects.filter(contact=early).update(created_at=world_now - timedelta(hours=2) + timedelta(minutes=5))
    world.event(early, "came.back")
    world.event(exact, "came.back")

    assert reasons() == ["period_not_elapsed"]
    assert sorted(JourneyRun.objects.filter(contact=exact).values_list("entry_number", flat=True)) == [1, 2]


def test_someone_who_left_all_mail_does_not_enter(world):
    journey(id="welcome", trigger="signed.up", entry_limit="unlimited")(empty)
    ada = world.person()
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    world.event(ada, "signed.up")

    assert reasons() == ["user_unsubscribed"]


def test_someone_who_left_one_list_does_enter(world):
    journey(id="welcome", trigger="signed.up")(empty)
    ada = world.person()
    Preference.objects.create(contact=ada, categories={"journey": False})

    world.event(ada, "signed.up")

    assert JourneyRun.objects.count() == 1


def test_nobody_is_in_a_journey_twice_at_once(world):
    journey(id="orders", trigger="ordered", entry_limit="unlimited")(empty)
    ada = world.person()
    world.event(ada, "ordered")

    world.event(ada, "ordered")

    assert reasons() == ["already_active"]
    assert JourneyRun.objects.count() == 1


def test_an_unlimited_journey_can_be_completed_many_times(world):
    journey(id="orders", trigger="ordered", entry_limit="unlimited")(empty)
    ada = world.person()

    for _ in range(3):
        world.event(ada, "ordered")
        world.advance()

    runs = JourneyRun.objects.order_by("created_at")
    assert [(run.status, run.entry_number) for run in runs] == [("completed", 1), ("completed", 2), ("completed", 3)]


def test_an_event_that_ends_and_begins_a_journey_ends_the_old_run_and_begins_a_new_one(world):
    journey(id="cart", trigger="cart.changed", entry_limit="unlimited", exit_on=["cart.changed"])(empty)
    ada = world.person()
    world.event(ada, "cart.changed")

    world.event(ada, "cart.changed")

    assert list(JourneyRun.objects.order_by("created_at").values_list("status", flat=True)) == ["exited", "active"]


def test_the_first_event_of_that_kind_does_not_end_the_run_it_begins(world):
    journey(id="cart", trigger="cart.changed", exit_on=[exit_rule("cart.changed")])(empty)

    world.event(world.person(), "cart.changed")

    assert JourneyRun.objects.get().status == RunStatus.ACTIVE
