"""Journeys as staff see them, and what staff can do to them and to the runs."""

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from hogsend.authoring import days, exit_rule, hours, journey, prop, send_email
from hogsend.lib.ids import new_id
from journeys.actions.lease import database_now
from journeys.actions.operate import set_journey
from journeys.models import EnrolmentSkip, JourneyOverride, JourneyRun, JourneyStep
from tests.people import ada, ben, dora

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

LIST = "/admin/journeys/journeyoverride/"
BUTTONS = ("switch", "pause", "enrol")


@pytest.fixture
def admin_user(db: None) -> User:
    return User.objects.create(username="admin", is_staff=True, is_superuser=True)


@pytest.fixture
def nap():
    @journey(
        id="nap_1",
        trigger="go",
        name="Nap",
        description="Sleeps a while.",
        where=prop("plan").eq("pro"),
        entry_limit="once_per_period",
        entry_period=days(3),
        exit_on=["stop", exit_rule("plan.changed", where=prop("plan").eq("free"))],
        suppress=hours(12),
    )
    def nap(user, ctx):
        ctx.sleep(days(2), label="doze")
        send_email(user, "bye")

    return nap


def page_of(journey_id: str = "nap_1") -> str:
    return reverse("admin:journeys_journeyoverride_change", args=[journey_id.replace("_", "_5F")])


def button(name: str, journey_id: str = "nap_1") -> str:
    return reverse(f"admin:journeys_journeyoverride_{name}", args=[journey_id])


def text(answer) -> str:
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def press(client: Client, name: str, **data) -> str:
    return text(client.post(button(name), data, follow=True))


def asleep(world, person) -> JourneyRun:
    world.event(person, "go", plan="pro")
    world.advance()
    return world.run(person)


def viewer(*codenames: str) -> Client:
    somebody = User.objects.create_user("viewer", is_staff=True)
    somebody.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(somebody)
    return client


# --- all journeys ---------------------------------------------------------------------------------------------------
def test_the_list_shows_every_declared_journey_and_those_that_are_gone(admin_client, world, nap):
    asleep(world, ada())
    world.event(ben(), "go", plan="free")
    JourneyOverride.objects.create(journey_id="left")
    run = world.run()
    JourneyRun.objects.create(
        contact=run.contact, journey_id="gone", code_hash="", created_at=run.created_at, progressed_at=run.created_at
    )

    lines = {line.id: line for line in admin_client.get(LIST).context["lines"]}

    assert list(lines) == ["nap_1", "gone", "left"]
    assert (lines["nap_1"].state.words, lines["nap_1"].live, lines["nap_1"].skipped) == ("on", 1, 1)
    assert (lines["gone"].state.kind, lines["gone"].live) == ("gone", 1)


def test_the_list_is_narrowed_and_sorted(admin_client, world, nap):
    journey(id="other", trigger="else")(lambda user, ctx: None)
    set_journey(journey_id="other", paused=True)
    asleep(world, ada())

    def shown(query: str) -> list[str]:
        return [line.id for line in admin_client.get(f"{LIST}?{query}").context["lines"]]

    assert shown("state=paused") == ["other"]
    assert shown("state=on") == ["nap_1"]
    assert shown("q=else") == ["other"]
    assert shown("sort=-live") == ["nap_1", "other"]
    assert shown("sort=live") == ["other", "nap_1"]
    assert "No journey is like that" in text(admin_client.get(f"{LIST}?q=nothing"))


def test_the_list_asks_as_much_for_many_journeys_as_for_few(admin_client, world, nap):
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            admin_client.get(LIST)
        return len(seen)

    before = statements()
    for number in range(20):
        journey(id=f"more-{number}", trigger="go")(lambda user, ctx: None)
        set_journey(journey_id=f"more-{number}", enabled=False)

    assert statements() <= before


# --- one journey ----------------------------------------------------------------------------------------------------
def test_a_journeys_page_says_what_it_declares_who_is_where_and_who_did_not_enter(admin_client, world, nap):
    run = asleep(world, ada())
    world.event(ben(), "go", plan="free")
    JourneyRun.objects.update(code_hash="b" * 64)

    said = text(admin_client.get(page_of()))

    assert "Begins with go if plan is “pro”" in said
    assert "again 3 days after the last entry" in said
    assert "stop; plan.changed if plan is “free”" in said
    assert "12 hours between two mails to one person" in said
    assert "the event was not as the journey wants it 1" in said
    assert "bbbbbbbbbbbb… goes on with newer code 1" in said
    assert "1 on the way" in said
    assert f"{run.contact} waiting doze" in said


def test_a_journey_that_is_gone_from_the_code_says_so_and_can_be_paused(admin_client, world, nap):
    asleep(world, ada())
    JourneyRun.objects.update(journey_id="gone")

    said = text(admin_client.get(page_of("gone")))
    answer = admin_client.post(button("pause", "gone"), {"paused": "1"})

    assert "not in the code any more" in said
    assert "cannot be played here" in said
    assert answer.status_code == 302
    assert JourneyOverride.objects.get(journey_id="gone").paused


def test_a_journey_is_switched_off_and_on_and_it_is_noted(admin_client, nap):
    off = press(admin_client, "switch", enabled="0")
    was_off = not JourneyOverride.objects.get().enabled
    on = press(admin_client, "switch", enabled="1")

    assert "The journey is off: nobody enters, and its runs go on." in off
    assert was_off
    assert "The journey is on." in on
    assert LogEntry.objects.filter(object_id="nap_1").count() == 2


def test_a_journey_that_the_code_switched_off_cannot_be_switched_on(admin_client):
    journey(id="nap_1", trigger="go", enabled=False)(lambda user, ctx: None)

    said = press(admin_client, "switch", enabled="1")

    assert "off in the code (enabled=False); change it there" in said
    assert not JourneyOverride.objects.exists()


def test_a_journey_is_paused_and_resumed(admin_client, world, nap):
    asleep(world, ada())

    paused = press(admin_client, "pause", paused="1")
    run_page = text(admin_client.get(reverse("admin:journeys_journeyrun_change", args=[world.run().id])))
    world.wake()
    held = world.run().status
    press(admin_client, "pause", paused="0")
    world.advance()

    assert "its runs stand still" in paused
    assert "The journey is paused, so this run stands still" in run_page
    assert (held, world.run().status) == ("waiting", "completed")


def test_somebody_is_let_in_by_any_key_and_the_page_says_what_became_of_them(admin_client, world, nap):
    ada()
    dora()

    said = press(admin_client, "enrol", person="ADA@example.com", properties='{"plan": "trial"}')
    twice = press(admin_client, "enrol", person="ada")
    never = press(admin_client, "enrol", person="dora")

    run = world.run()
    assert "They are in the journey now" in said
    assert run.context == {"plan": "trial"}
    assert run.steps.get(kind="entered").result == {"by": "admin"}
    assert "Their last entry is too recent" in twice
    assert "They unsubscribed from all mail" in never
    assert JourneyRun.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"person": "nobody"}, "Nobody is known by “nobody”"),
        ({"person": ""}, "Nobody is known by"),
        ({"person": "a\0b"}, "Nobody is known by"),
        ({"person": "ada", "properties": "plan"}, "Properties are a JSON object"),
        ({"person": "ada", "properties": "[1]"}, "Properties are a JSON object"),
        ({"person": "ada", "properties": '{"a": "\\u0000"}'}, "Properties are a JSON object"),
        ({"person": "ada", "properties": '{"a": "\\ud800"}'}, "Properties are a JSON object"),
        ({"person": "ada", "properties": '{"a": NaN}'}, "Properties are a JSON object"),
    ],
)
def test_who_cannot_be_let_in_is_said_on_the_page(admin_client, nap, data, told):
    ada()

    said = press(admin_client, "enrol", **data)

    assert told in said
    assert not JourneyRun.objects.exists()


# --- a run ----------------------------------------------------------------------------------------------------------
def test_a_runs_page_says_for_which_event_it_waits_and_until_when(admin_client, world):
    @journey(id="hope", trigger="hope")
    def hope(user, ctx):
        ctx.wait_for_event("paid", timeout=days(3), where=prop("amount").gt(5), label="pay")

    world.event(ada(), "hope")
    world.advance()

    said = text(admin_client.get(reverse("admin:journeys_journeyrun_change", args=[world.run().id])))

    assert "Waits at pay for the event paid if amount is more than 5, at the latest until" in said


def test_a_wait_is_skipped_by_a_button_and_the_run_says_by_whom(admin_client, world, nap):
    run = asleep(world, ada())
    address = reverse("admin:journeys_journeyrun_skip_wait", args=[run.id])

    said = text(admin_client.post(address, follow=True))
    world.advance()
    again = text(admin_client.post(address, follow=True))

    assert "The wait is over" in said
    assert world.run().status == "completed"
    assert "This run has ended already; there is no wait to skip." in again
    assert JourneyStep.objects.get(kind="skipped").result == {"by": "admin"}


def test_a_runs_page_says_how_it_stands_to_the_code(admin_client, world, nap):
    run = asleep(world, ada())
    address = reverse("admin:journeys_journeyrun_change", args=[run.id])

    def said(**fields) -> str:
        JourneyRun.objects.update(**fields)
        return text(admin_client.get(address))

    assert "goes on with the newer code" not in said()
    assert "goes on with the newer code" in said(code_hash="c" * 64)
    assert "neither the current one (1) nor kept" in said(version=7)
    assert "is not in the code that runs here" in said(journey_id="gone")


def test_a_run_that_completed_without_all_that_it_recorded_says_so(admin_client, world, nap):
    run = asleep(world, ada())
    JourneyStep.objects.create(
        run=run, seq=90, key="checkpoint:old", kind="checkpoint", created_at=run.created_at, finished_at=run.created_at
    )
    world.wake()

    said = text(admin_client.get(reverse("admin:journeys_journeyrun_change", args=[run.id])))

    assert "no longer meets 1 of its recorded steps: checkpoint:old" in said
    assert "1 completed in 30 days without all that they had recorded" in text(admin_client.get(page_of()))


def test_skips_are_listed_with_their_reason_in_words(admin_client, world, nap):
    world.event(ben(), "go", plan="free")

    said = text(admin_client.get("/admin/journeys/enrolmentskip/"))

    assert EnrolmentSkip.objects.count() == 1
    assert "the event was not as the journey wants it" in said


# --- who may --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", BUTTONS)
def test_who_may_only_look_can_press_nothing(nap, name):
    client = viewer("view_journeyoverride", "view_journeyrun")

    status = client.post(button(name), {"person": "ada"}).status_code

    assert status == 403
    assert "Switch off" not in text(client.get(page_of()))
    assert "Let somebody in" not in text(client.get(page_of()))


@pytest.mark.parametrize(
    ("name", "codename"),
    [("switch", "change_journeyoverride"), ("pause", "change_journeyoverride"), ("enrol", "add_journeyrun")],
)
def test_who_has_the_permission_can_press_and_only_if_they_may_look(nap, name, codename):
    client = viewer("view_journeyoverride", codename)
    allowed = client.post(button(name), {"person": "ada"}).status_code
    User.objects.get(username="viewer").user_permissions.set(Permission.objects.filter(codename=codename))

    blind = client.post(button(name), {"person": "ada"}).status_code

    assert (allowed, blind) == (302, 403)


@pytest.mark.parametrize("path", [LIST, "/admin/journeys/journeyoverride/nap_5F1/change/"])
def test_strangers_are_sent_to_the_login_and_others_away(nap, path):
    assert Client().get(path).status_code == 302
    assert viewer("view_event").get(path).status_code == 403


@pytest.mark.parametrize("name", BUTTONS)
def test_a_link_presses_no_button_and_what_does_not_exist_is_not_found(admin_client, nap, name):
    assert admin_client.get(button(name)).status_code == 405
    assert admin_client.post(button(name, "none")).status_code == 404
    assert admin_client.post(reverse("admin:journeys_journeyrun_skip_wait", args=[new_id()])).status_code == 404


def test_a_form_from_elsewhere_presses_no_button(admin_user, nap):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)

    assert careful.post(button("pause"), {"paused": "1"}).status_code == 403


def test_people_are_named_on_a_journeys_page_only_with_a_link_for_who_may_see_them(world, nap):
    run = asleep(world, ada())

    said = viewer("view_journeyoverride").get(page_of()).content.decode()

    assert f"/admin/contacts/contact/{run.contact_id}" not in said


def test_looking_changes_nothing(admin_client, world, nap):
    run = asleep(world, ada())
    before = database_now()

    for path in (LIST, page_of(), reverse("admin:journeys_journeyrun_change", args=[run.id])):
        assert admin_client.get(path).status_code == 200

    assert not JourneyOverride.objects.exists()
    assert world.run().progressed_at < before
