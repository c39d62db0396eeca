"""The outbox page and the shipped mails in a real browser."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import Browser, Page, expect

from content import emails as content
from emails.mailbox import Mailbox
from emails.render import MailLinks, Recipient, render
from tests.mails import MAILS

pytestmark = pytest.mark.browser

BACKEND = "emails.mailbox.MailboxBackend"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Silent(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def base(settings, tmp_path) -> Iterator[str]:
    """A server of its own without a database: the outbox needs none for its own machine."""
    settings.EMAIL_BACKEND = BACKEND
    settings.HOGSEND_OUTBOX_DIR = tmp_path / "outbox"
    settings.ALLOWED_HOSTS = ["*"]
    with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    yield opened
    context.close()
    assert trouble == []


@pytest.fixture
def send(settings) -> Callable[..., str]:
    """Put a mail into the mailbox and return the path of its page."""

    def deliver(subject: str, html: str, text: str = "words") -> str:
        message = EmailMultiAlternatives(subject, text, "Shop <shop@example.com>", ["ada@example.com"])
        message.attach_alternative(html, "text/html")
        get_connection(BACKEND).send_messages([message])
        return f"/outbox/{Mailbox(Path(settings.HOGSEND_OUTBOX_DIR)).page(size=1).entries[0].id}/"

    return deliver


def shipped(email: content.Email, base: str) -> str:
    links = MailLinks(f"{base}/outbox/?q=unsubscribe", f"{base}/outbox/?q=preferences")
    return render(email.id, props=email.sample, links=links, contact=Recipient("ada@example.com", "Ada")).html


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def test_a_new_mail_appears_in_the_open_list(page, base, send):
    page.goto(f"{base}/outbox/")
    expect(page.get_by_text("Nothing sent yet")).to_be_visible()

    send("Fresh from the press", "<p>Hi</p>")

    expect(page.get_by_text("Fresh from the press")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("1 new mail at")


def test_the_list_is_walked_with_the_keyboard_and_keeps_its_place_when_mail_comes(page, base, send):
    send("First", "<p>one</p>")
    page.goto(f"{base}/outbox/?q=Shop")
    page.locator(".mails a").focus()

    send("Second", "<p>two</p>")
    expect(page.get_by_text("Second")).to_be_visible()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="First")).to_be_visible()


def test_a_mail_is_shown_as_a_phone_shows_it_and_its_links_open_in_a_tab_that_works(page, base, send):
    page.goto(base + send("Welcome", shipped(content.welcome, base)))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Hi Ada,")).to_be_visible()
    assert page.locator("iframe").bounding_box()["width"] == 390

    with page.context.expect_page() as opened:
        frame.get_by_role("link", name="Unsubscribe").click()

    expect(opened.value.get_by_role("searchbox")).to_have_value("unsubscribe")
    assert opened.value.evaluate("window.opener") is None
    opened.value.get_by_role("searchbox").fill("welcome")
    opened.value.keyboard.press("Enter")
    expect(opened.value.get_by_role("heading", name="Mails matching")).to_be_visible()


def test_no_script_of_a_mail_ever_runs(page, base, send):
    ran: list[str] = []
    page.on("console", lambda message: ran.append(message.text) if message.text.startswith("ran") else None)
    tricks = (
        "<script>console.log('ran 1')</script><img src=x onerror=\"console.log('ran 2')\">"
        "<svg onload=\"console.log('ran 3')\"></svg><a href=\"javascript:console.log('ran 4')\">trick</a>"
        "<iframe srcdoc=\"<script>console.log('ran 5')</script>\"></iframe><p onclick=\"console.log('ran 6')\">shown</p>"
        "\"></iframe><script>console.log('ran 7')</script>"
    )
    page.goto(base + send("<script>console.log('ran 8')</script>", tricks, "<script>console.log('ran 9')</script>"))

    page.frame_locator("iframe").get_by_text("shown").click()
    page.frame_locator("iframe").get_by_text("trick").click()
    for view in ("Text", "Headers", "Raw"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("link", name=view, exact=True)).to_have_attribute("aria-current", "page")

    assert ran == []
    assert page.context.pages == [page]


def test_a_mail_cannot_reach_the_page_around_it(page, base, send):
    page.goto(base + send("Escape", f'<a href="{base}/outbox/?q=gone" target="_top">leave</a><p>inside</p>'))
    address = page.url

    page.frame_locator("iframe").get_by_text("leave").click()
    expect(page.frame_locator("iframe").get_by_text("inside")).to_be_visible()

    assert page.url == address


def test_the_frame_shows_the_dark_side_on_request(browser, base, send):
    context = browser.new_context(color_scheme="null")
    page = context.new_page()
    page.goto(base + send("Welcome", shipped(content.welcome, base)))
    card = page.frame_locator("iframe").locator(".card").first

    expect(card).to_have_css("background-color", "rgb(255, 255, 255)")
    page.get_by_role("link", name="Dark").click()
    expect(card).to_have_css("background-color", "rgb(26, 29, 36)")
    context.close()


@pytest.mark.parametrize("path", ["/outbox/", "{mail}", "{mail}?view=raw", "{mail}?view=headers"])
def test_every_page_fits_a_phone(page, base, send, path):
    mail = send("A subject that is quite a bit longer than any phone is wide, " * 2, shipped(content.welcome, base))
    page.set_viewport_size({"width": 375, "height": 740})

    page.goto(base + path.format(mail=mail))

    assert overflow(page) == 0


def test_everything_works_without_scripts(browser, base, send):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    send("Plain old pages", "<p>Hi</p>")
    page.goto(f"{base}/outbox/")

    page.get_by_role("searchbox").fill("plain")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Plain old pages").click()

    expect(page.frame_locator("iframe").get_by_text("Hi")).to_be_visible()
    context.close()


@pytest.mark.parametrize("email", MAILS, ids=lambda email: email.id)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_shipped_mail_fits_any_screen_and_can_be_read(page, base, email, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_content(shipped(email, base))

    for width in (320, 390, 700):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) == 0
        assert page.evaluate(POOREST_CONTRAST) >= 4.5


# The lowest contrast of any text with what is painted behind it (WCAG 2, relative luminance).
POOREST_CONTRAST = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const shown = [...document.body.querySelectorAll("*")].filter((element) => element.getClientRects().length
    && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return Math.min(...shown.map((element) => {
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""
