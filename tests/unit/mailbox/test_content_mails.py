"""The shipped mails, rendered as they are sent: with their sample, with nothing, and with hostile values."""

import re
from html import unescape

import pytest

from content import emails as content
from emails.render import MailLinks, Recipient, Rendered, render
from tests.mails import MAILS

LINKS = MailLinks(
    "https://mail.example/v1/email/unsubscribe?token=a.b&x=1", "https://mail.example/v1/email/preferences?token=c.d"
)
GMAIL_CUTS_AT = 102 * 1024


@pytest.fixture(autouse=True)
def _brand(settings):
    settings.HOGSEND_BRAND_NAME = "Ampère & Söhne"
    settings.HOGSEND_BRAND_ADDRESS = "12 Mill Lane, Bristol"


def mail(email, *, props=None, first_name="Ada", links=LINKS) -> Rendered:
    sample = email.sample if props is None else props
    return render(email.id, props=sample, links=links, contact=Recipient("ada@example.com", first_name))


def hrefs(html: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'href="([^"]*)"', html)]


every_mail = pytest.mark.parametrize("email", MAILS, ids=lambda email: email.id)


@every_mail
@pytest.mark.parametrize("props", [None, {}], ids=["sample", "nothing"])
def test_it_reads_naturally_whatever_is_known(email, props):
    known, unknown = mail(email, props=props), mail(email, props=props, first_name="")

    for words in (unescape(known.html), known.text):
        assert "Hi Ada," in words
    for words in (unescape(unknown.html), unknown.text):
        assert "Hi there," in words
    for words in (known.subject, known.html, known.text):
        assert not re.search(r"None|\{\{|\{%|%s|\bundefined\b", words)


@every_mail
def test_every_link_is_a_whole_web_address(email):
    links = hrefs(mail(email).html)

    assert len(links) >= 3
    assert all(re.match(r"https?://[^/\s]+/", link) for link in links)


@every_mail
def test_html_and_text_carry_the_unsubscribe_link_and_the_senders_address(email):
    rendered = mail(email)

    for link in (LINKS.unsubscribe_url, LINKS.preferences_url):
        assert link in hrefs(rendered.html)
        assert link in rendered.text
    for words in (unescape(rendered.html), rendered.text):
        assert "Ampère & Söhne, 12 Mill Lane, Bristol" in words


@every_mail
def test_without_links_of_the_person_the_footer_offers_none(email):
    rendered = mail(email, links=MailLinks("", ""))

    assert "Unsubscribe" not in rendered.html + rendered.text
    assert 'href=""' not in rendered.html


@every_mail
def test_html_and_text_lead_to_the_same_pages(email):
    rendered = mail(email)

    assert set(hrefs(rendered.html)) == set(re.findall(r"https?://\S+", rendered.text))


@every_mail
def test_nothing_is_loaded_from_elsewhere(email):
    html = mail(email).html

    assert "<img" not in html
    assert "<link" not in html
    assert "<script" not in html
    assert "@import" not in html
    assert not re.search(r"(?:src|background)=|url\(", html)


@every_mail
def test_the_text_part_is_text(email):
    text = mail(email).text

    assert not re.search(r"<[a-z/!]|&(?:amp|lt|gt|quot|nbsp|#\w+);", text)
    assert max(len(line) for line in text.splitlines() if "://" not in line) < 100
    assert "\n\n\n" not in text


@every_mail
def test_the_html_fits_into_what_gmail_shows_and_leaves_no_mjml_behind(email):
    html = mail(email).html

    assert len(html.encode()) < GMAIL_CUTS_AT / 4
    assert "<mj-" not in html
    assert '<html lang="en"' in html


@every_mail
def test_it_knows_dark_mode_and_is_styled_without_its_style_sheet(email):
    html = mail(email).html

    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html
    assert re.search(r'<h1 style="[^"]*font-size: 26px', html)
    assert re.search(r"<a [^>]*style=\"[^\"]*background:#3447d4;color:#ffffff", html)


@every_mail
def test_the_inbox_line_beside_the_subject_is_the_preheader_alone(email):
    hidden = unescape(re.search(r'<div style="display:none[^>]*>(.*?)</div>', mail(email).html)[1])

    words = hidden.split("\u034f")[0].strip()
    assert 20 < len(words) < 100
    assert len(hidden) > 140


@every_mail
def test_a_hostile_name_stays_a_name(email):
    rendered = mail(email, first_name="</mj-text><script>alert(1)</script>")

    assert "<script" not in rendered.html
    assert "Hi </mj-text><script>alert(1)</script>," in unescape(rendered.html)


def test_the_first_order_is_told_by_its_event():
    rendered = mail(content.first_order, props={"event": {"cds": 3, "dollars": 1234.5}})

    assert re.search(r">CDs</td><td[^>]*>3</td>", rendered.html)
    assert re.search(r">Total</td><td[^>]*>\$1234.50</td>", rendered.html)
    assert "CDs:   3\nTotal: $1234.50\n" in rendered.text


def test_a_first_order_of_unknown_size_leaves_the_figures_out():
    rendered = mail(content.first_order, props={"event": {"cds": None, "dollars": "a lot"}})

    assert "Total" not in rendered.html + rendered.text
    assert "$" not in rendered.text
