"""The pages as people use them: in Chromium, by keyboard alone, without JavaScript."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, Request

from contacts.models import Contact, ContactKey, KeyKind
from lists.definitions import EmailList, registry
from preferences.links import preferences_url, unsubscribe_url
from preferences.queries import consent_of

PHONE = {"width": 390, "height": 844}
TABS_UNTIL = 30
FOCUSED = "(document.activeElement.labels?.[0] ?? document.activeElement).innerText"
CONTRAST = """
() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('header,footer,h1,h2,p,a,button,label,legend')]
    .filter(node => node.textContent.trim())
    .map(node => {
      const pair = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
      return [node.textContent.trim().slice(0, 40), (pair[0] + .05) / (pair[1] + .05)];
    });
}
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),  # static files are collected for deployment only
]


@pytest.fixture(autouse=True)
def _lists() -> Iterator[None]:
    with registry.scratch():
        EmailList(
            "news", name="News from the workshop", description="What is new, about once a month.", default_opt_in=True
        )
        EmailList("beta", name="Beta programme", description="Try things before others do.", default_opt_in=False)
        yield


@pytest.fixture
def ada(_lists: None, live_server, settings) -> Contact:
    settings.API_PUBLIC_URL = live_server.url
    settings.HOGSEND_BRAND_NAME = "Lantern & Co"
    settings.HOGSEND_BRAND_ADDRESS = "Lantern & Co, 12 Harbour Street, Galway"
    now = datetime.now(UTC)
    contact = Contact.objects.create(email="ada@example.com", external_id="ada", first_seen_at=now, last_seen_at=now)
    ContactKey.objects.create(kind=KeyKind.EXTERNAL, value="ada", contact=contact)
    return contact


@pytest.fixture(params=["light", "dark"])
def scheme(request) -> str:
    return request.param


@pytest.fixture
def asked() -> list[str]:
    """Addresses the browser asked for."""
    return []


@pytest.fixture
def phone(browser: Browser, scheme: str, asked: list[str]) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    page.on("request", lambda request: note(request, asked))
    yield page
    context.close()


def note(request: Request, asked: list[str]) -> None:
    asked.append(request.url)


def unsubscribe_link(ada: Contact) -> str:
    return unsubscribe_url(contact_key="ada", email=ada.email, category="news", send_id=None, contact_id=ada.id)


def preference_link(ada: Contact) -> str:
    return preferences_url(contact_key="ada", email=ada.email, contact_id=ada.id)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of this name has the focus, as somebody without a mouse does."""
    for _ in range(TABS_UNTIL):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == name:
            return
    pytest.fail(f"Tab never reached {name!r}.")


def press_enter(page: Page) -> None:
    """Press Enter on a link or button and wait for the page it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def chosen(ada: Contact) -> tuple[bool, dict[str, bool]]:
    consent = consent_of([ada.id])[ada.id]
    return consent.unsubscribed_all, dict(consent.categories)


def test_unsubscribing_and_undoing_by_keyboard(ada, phone):
    phone.goto(unsubscribe_link(ada))
    assert phone.locator("h1").inner_text() == "Unsubscribe from “News from the workshop”?"
    assert chosen(ada) == (False, {})

    tab_to(phone, "Yes, unsubscribe me")
    press_enter(phone)

    assert phone.locator("h1").inner_text() == "You have been unsubscribed"
    assert chosen(ada) == (False, {"news": False})

    tab_to(phone, "Undo")
    press_enter(phone)

    assert phone.locator("h1").inner_text() == "You are back"
    assert chosen(ada) == (False, {"news": True})


def test_from_the_confirmation_to_the_preferences_by_keyboard(ada, phone):
    phone.goto(unsubscribe_link(ada))
    tab_to(phone, "Yes, unsubscribe me")
    press_enter(phone)

    tab_to(phone, "Choose which mail you get")
    press_enter(phone)

    assert phone.locator("h1").inner_text() == "Your mail"
    assert not phone.get_by_label("News from the workshop").is_checked()


def test_choosing_lists_by_keyboard(ada, phone):
    phone.goto(preference_link(ada))

    tab_to(phone, "News from the workshop")
    phone.keyboard.press("Space")
    tab_to(phone, "Beta programme")
    phone.keyboard.press("Space")
    tab_to(phone, "Save my choices")
    press_enter(phone)

    assert phone.get_by_role("status").inner_text() == "Your choices are saved."
    assert chosen(ada) == (False, {"news": False, "beta": True})


def test_pausing_and_leaving_all_mail_by_keyboard(ada, phone):
    phone.goto(preference_link(ada))

    tab_to(phone, "Pause for 30 days")
    press_enter(phone)
    assert phone.get_by_role("status").inner_text() == "Your mail is paused for 30 days."

    tab_to(phone, "Unsubscribe from all mail")
    press_enter(phone)
    assert phone.get_by_role("status").inner_text() == "You have been unsubscribed from all mail."
    assert chosen(ada) == (True, {})


def test_the_focus_is_always_to_be_seen(ada, phone):
    phone.goto(preference_link(ada))

    tab_to(phone, "Save my choices")

    assert float(phone.locator(":focus").evaluate("node => parseFloat(getComputedStyle(node).outlineWidth)")) >= 3


def test_a_phone_shows_the_pages_without_scrolling_sideways(ada, phone, scheme, tmp_path):
    EmailList("long", name="An-endless-name-without-a-break-" * 4, description="x" * 200, default_opt_in=True)
    steps = {
        "confirm": lambda: phone.goto(unsubscribe_link(ada)),
        "done": lambda: phone.get_by_role("button").click(),
        "preferences": lambda: phone.goto(preference_link(ada)),
        "paused": lambda: phone.get_by_role("button", name="Pause for 30 days").click(),
        "left": lambda: phone.get_by_role("button", name="Unsubscribe from all mail").click(),
        "broken": lambda: phone.goto(preference_link(ada) + "x"),
    }
    for name, step in steps.items():
        step()
        phone.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)

        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_every_word_can_be_read(ada, phone):
    for url in (unsubscribe_link(ada), preference_link(ada), preference_link(ada) + "x"):
        phone.goto(url)

        pale = [(words, ratio) for words, ratio in phone.evaluate(CONTRAST) if ratio < 4.5]

        assert pale == []


def test_nothing_is_asked_of_anybody_else(ada, phone, live_server, asked):
    phone.goto(unsubscribe_link(ada))
    phone.goto(preference_link(ada))

    assert {url.split("/v1/")[0] for url in asked} == {live_server.url}
    assert phone.context.cookies() == []
