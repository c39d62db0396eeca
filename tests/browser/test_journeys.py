"""Journeys in Chromium: read one, let somebody in, pause it, and skip a wait; wide and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from hogsend.authoring import days, exit_rule, journey, prop, send_email
from hogsend.clock import database_now
from journeys.actions.invite import Guest, enrol_guests
from journeys.actions.operate import set_journey
from journeys.definitions import Journey, registry
from journeys.models import JourneyOverride, JourneyRun
from journeys.runtime import advance_due
from tests.browser.screens import fits
from tests.people import ada, ben, cleo, person

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def upgrade(browser: Browser) -> Iterator[Journey]:
    """A journey on which some people are at different places."""
    with registry.scratch():

        @journey(
            id="upgrade-nudge",
            name="Upgrade nudge",
            description="Tells people on trial what a plan would give them, until they take one.",
            trigger="upgrade.offered",
            where=prop("plan").eq("trial"),
            entry_limit="once_per_period",
            entry_period=days(90),
            exit_on=["subscription.created", exit_rule("plan.changed", where=prop("plan").eq("pro"))],
            suppress=days(1),
        )
        def upgrade(user, ctx):
            if user.properties.get("breaks"):
                raise ValueError("The plan has no price.")
            came = ctx.wait_for_event("feature.used", timeout=days(3), where=prop("times").gte(3), label="first-use")
            ctx.sleep(days(0) if came else days(2), label="breathe")
            send_email(user, "welcome")

        breaking = [Guest(person(user_id="zed", email="zed@example.com").id, {"breaks": True})]
        now = database_now()
        guests = [Guest(one.id, {"plan": "trial"}) for one in (ada(), ben())]
        enrol_guests(journey=upgrade, guests=guests + breaking, by="the scene", now=now)
        while advance_due(limit=50):
            pass
        JourneyRun.objects.filter(contact__external_id="ada").update(code_hash="0123456789ab" + "0" * 52)
        cleo()
        yield upgrade


def test_a_journey_is_found_read_paused_and_resumed(page: Page, upgrade: Journey) -> None:
    page.goto("/admin/journeys/journeyoverride/")
    fits(page, "journeys")
    page.get_by_placeholder("Name, id or trigger").fill("upgrade.offered")
    page.keyboard.press("Enter")
    expect(page.locator("#journeys tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Upgrade nudge").click()
    expect(page.get_by_text("upgrade.offered if plan is “trial”")).to_be_visible()
    expect(page.get_by_text("goes on with newer code")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("This journey is paused")).to_be_visible()
    fits(page, "journey-paused")
    was_paused = JourneyOverride.objects.get().paused
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    fits(page, "journey")

    assert was_paused
    assert not JourneyOverride.objects.get().paused


def test_somebody_is_let_in_and_the_page_says_what_became_of_them(page: Page, upgrade: Journey) -> None:
    page.goto("/admin/journeys/journeyoverride/upgrade-nudge/change/")
    page.get_by_label("User id or address").fill("nobody")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("Nobody is known by “nobody”")).to_be_visible()
    page.get_by_label("User id or address").fill("cleo-visit")
    page.get_by_label("Properties as JSON").fill('{"plan": "trial"}')

    page.get_by_role("button", name="Enrol").click()

    expect(page.get_by_text("They are in the journey now")).to_be_visible()
    assert JourneyRun.objects.get(contact__anonymous_id="cleo-visit").context == {"plan": "trial"}


def test_a_run_says_what_it_waits_for_and_the_wait_is_skipped(page: Page, upgrade: Journey) -> None:
    set_journey(journey_id=upgrade.id, paused=True)
    run = JourneyRun.objects.get(contact__external_id="ada")
    page.goto(f"/admin/journeys/journeyrun/{run.id}/change/")
    expect(page.get_by_text("for the event feature.used if times is at least 3")).to_be_visible()
    expect(page.get_by_text("The code has changed since this run began")).to_be_visible()
    fits(page, "run")

    page.get_by_role("button", name="Skip the wait").click()

    expect(page.get_by_text("The wait is over")).to_be_visible()
    page.goto("/admin/journeys/journeyrun/")
    fits(page, "runs")
    assert run.steps.filter(kind="skipped").exists()
