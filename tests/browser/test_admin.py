"""The admin in Chromium: log in, read a run, press a button, look at a mail."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from contacts.models import Contact, ContactKey
from emails.models import EmailSend
from events.models import Event
from hogsend.api.models import ApiKey
from journeys.models import JourneyRun, JourneyStep, Wakeup

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = (
    "<html><body><h1>Thanks, Ada</h1><script>parent.document.title='owned';document.title='owned'</script>"
    "<img src=x onerror=\"parent.document.title='owned'\"><a href='/admin/logout/'>Order</a></body></html>"
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def run(browser: Browser) -> JourneyRun:
    """Ada's run, which sleeps for two weeks after its first mail."""
    ada = Contact.objects.create(external_id="ada", email="ada@example.com", first_seen_at=NOW, last_seen_at=NOW)
    ContactKey.objects.create(kind="external", value="ada", contact=ada)
    event = Event.objects.create(contact=ada, name="order.completed", occurred_at=NOW, received_at=NOW)
    run = JourneyRun.objects.create(
        contact=ada, journey_id="first-order", status="waiting", trigger_event=event, code_hash="a" * 64,
        created_at=NOW, progressed_at=NOW,
    )  # fmt: skip
    wakes = NOW + timedelta(days=14)
    JourneyStep.objects.create(
        run=run, seq=1, key="sleep:enjoying-it", kind="sleep", status="pending", deadline=wakes, created_at=NOW
    )
    Wakeup.objects.create(run=run, step_key="sleep:enjoying-it", reason="timer", due_at=wakes)
    EmailSend.objects.create(
        contact=ada, run_id=run.id, origin="journey", origin_id="first-order", email_id="first-order",
        category="journey", status="sent", from_email="shop@example.com", to_email=ada.email, subject="Thanks",
        html=HOSTILE, text="Thanks, Ada, in plain words", send_after=NOW, created_at=NOW, sent_at=NOW,
    )  # fmt: skip
    return run


@pytest.fixture
def page(staff_window) -> Iterator[Page]:
    """A logged-in administrator's window."""
    with staff_window(viewport={"width": 1360, "height": 900}) as opened:
        yield opened


def test_a_run_is_found_read_and_cancelled(page: Page, run: JourneyRun) -> None:
    page.get_by_role("link", name="Runs", exact=False).first.click()
    page.get_by_role("link", name="first-order").first.click()
    expect(page.get_by_text("Waits at")).to_be_visible()
    expect(page.get_by_text("Wakes for timer at")).to_be_visible()
    expect(page.get_by_role("link", name="order.completed")).to_be_visible()

    page.get_by_role("button", name="Cancel run").click()

    expect(page.get_by_text("The run has left its journey.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)
    run.refresh_from_db()
    assert run.status == "exited"


def test_a_hostile_mail_is_seen_and_does_nothing(page: Page, run: JourneyRun) -> None:
    page.goto(f"/admin/emails/emailsend/{EmailSend.objects.get().id}/change/")

    frame = page.frame_locator("iframe[title='The mail as it was sent']")
    expect(frame.get_by_role("heading", name="Thanks, Ada")).to_be_visible()
    expect(page).not_to_have_title("owned")
    wide = page.locator("iframe").bounding_box()
    page.get_by_text("Phone", exact=True).click()
    page.wait_for_function("document.querySelector('iframe').getBoundingClientRect().width === 390")
    page.get_by_text("Text", exact=True).click()
    expect(page.get_by_text("Thanks, Ada, in plain words")).to_be_visible()
    expect(page.locator("iframe")).to_be_hidden()
    assert wide
    assert wide["width"] > 600


def test_a_key_is_made_shown_and_revoked(page: Page) -> None:
    page.goto("/admin/api/apikey/add/")
    page.fill("input[name=name]", "web shop")
    page.get_by_role("button", name="Create the key").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name="back to the keys").click()
    page.get_by_role("link", name="web shop").click()
    expect(page.get_by_text(secret)).to_have_count(0)

    page.get_by_role("button", name="Revoke this key").click()

    expect(page.get_by_text("revoked; within seconds")).to_be_visible()
    assert secret.startswith("hsk_")
    assert ApiKey.objects.get().revoked_at is not None


@pytest.mark.parametrize("width", [390, 1360])
def test_pages_fit_the_window(page: Page, run: JourneyRun, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for path in (
        "/admin/",
        f"/admin/journeys/journeyrun/{run.id}/change/",
        f"/admin/contacts/contact/{run.contact_id}/change/",
        f"/admin/emails/emailsend/{EmailSend.objects.get().id}/change/",
    ):
        page.goto(path)

        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

        assert beyond <= 0, path
