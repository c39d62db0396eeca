import re
from uuid import UUID

import mrml
import pytest

from emails.instrument import instrument
from emails.places import address_in

SEND = UUID("0190a000-0000-7000-8000-000000000001")
CLICK = re.compile(r"https://api\.example/v1/t/c/([0-9a-f-]{36})")
PIXEL = f'<img src="https://api.example/v1/t/o/{SEND}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'

MJML = """<mjml><mj-head><mj-title>T</mj-title><mj-preview>P</mj-preview>
<mj-font name="Inter" href="https://fonts.example/css?family=Inter"/><mj-style>a:hover { color: red }</mj-style></mj-head>
<mj-body><mj-section><mj-column><mj-text font-family="Inter">Caf&eacute; &nbsp; <a href="https://a.example/?a=1&amp;b=2">one</a></mj-text>
<mj-button href="https://a.example/?a=1&amp;b=2">two</mj-button><mj-image src="https://a.example/i.png" href="https://b.example/"/>
<mj-social><mj-social-element name="facebook-noshare" href="https://f.example/">f</mj-social-element></mj-social>
<mj-raw><!--[if mso]><v:roundrect href="https://c.example/"><a href="https://c.example/">x</a></v:roundrect><![endif]--></mj-raw>
</mj-column><mj-column><mj-divider/></mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture(autouse=True)
def _address(settings):
    settings.API_PUBLIC_URL = "https://api.example"


@pytest.fixture
def done(links):
    def done(html):
        return instrument(html, send_id=SEND, links=links)

    return done


def restored(result):
    """Put the addresses back, as they stood in the source, and take the pixel away."""
    sources = {str(link_id): url.replace("&", "&amp;") for url, link_id in result.links.items()}
    return CLICK.sub(lambda found: sources[found[1]], result.html).replace(PIXEL, "")


def test_a_link_leads_through_us_and_is_remembered(done):
    result = done('<p><a class="x" href="https://a.example/b#c">go</a></p>')

    link_id = result.links["https://a.example/b#c"]
    assert result.html == f'<p><a class="x" href="https://api.example/v1/t/c/{link_id}">go</a></p>{PIXEL}'


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="https://a.example/?a=1&amp;b=2">',
        "<a href='https://a.example/?a=1&amp;b=2'>",
        "<a href=https://a.example/?a=1&amp;b=2>",
        '<A\n  class="x"\n  HREF = "https://a.example/?a=1&amp;b=2" target=_blank>',
        '<a href="https://a.example/?a=1&b=2">',
        '<a href="https://a.example/?a=1&#38;b=2">',
        '<a href="https://a.example/?a=1&#x26;b=2">',
        '<a href=" https://a.example/?a=1&amp;b=2\n">',
        '<a href="https://a.example/?a=1&amp;b=2" href="https://second.example/">',
        '<a data-x=">" title=\'<a href="https://no.example/">\' href="https://a.example/?a=1&amp;b=2">',
        '<a/href="https://a.example/?a=1&amp;b=2"/>',
    ],
)
def test_the_address_is_the_one_a_browser_would_open(done, tag):
    result = done(f"<p>é\n{tag}x</a></p>")

    assert list(result.links) == ["https://a.example/?a=1&b=2"]
    assert len(CLICK.findall(result.html)) == 1


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copyright=2", "?a=1&copyright=2"),
        ("?a=1&notit;b", "?a=1&notit;b"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=&copy", "?a=©"),
        ("?a=&copy&amp;b", "?a=©&b"),
        ("?a=&lt;b&gt;&quot;&#39;", "?a=<b>\"'"),
        ("?a=&#0;&#xD800;&#9999999;", "?a=\ufffd\ufffd\ufffd"),
        ("?a=&;&#;&#x;&&b", "?a=&;&#;&#x;&&b"),
        ("?a=&amp;amp;", "?a=&amp;"),
        ("ht\ntps://\ta", "https://a"),
    ],
)
def test_entities_mean_in_an_address_what_they_mean_to_a_browser(value, address):
    assert address_in(value) == address


def test_one_address_is_one_link_however_often_it_stands(done):
    result = done(
        '<a href="https://a.example/?a=1&amp;b=2">x</a><a href="https://a.example/?a=1&b=2">y</a><a href="https://b.example">z</a>'
    )

    assert list(result.links) == ["https://a.example/?a=1&b=2", "https://b.example"]
    first, again, other = CLICK.findall(result.html)
    assert first == again != other


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@example.com">x</a>',
        '<a href="tel:+123">x</a>',
        '<a href="/relative">x</a><a href="//a.example/">x</a><a href="#top">x</a><a href="?a=1">x</a>',
        '<a href="">x</a><a href>x</a><a>x</a><a name="https://a.example/">x</a>',
        '<a href="javascript:alert(1)">x</a><a href="ftp://a.example/">x</a><a href="https:///x">x</a>',
        '<a data-href="https://a.example/">x</a>',
        '<head><link rel="preload" href="https://a.example/"><base href="https://a.example/"></head>',
        '<map><area href="https://a.example/"></map><abbr href="https://a.example/">x</abbr>',
        '<!-- <a href="https://a.example/">x</a> -->',
        '<!--[if mso]><a href="https://a.example/">x</a><![endif]-->',
        '<style>/* <a href="https://a.example/"> */</style>',
        "<script>\"<a href='https://a.example/'>\"</script>",
        '<textarea title="<a href=https://a.example/>"></textarea>',
        "a < b and <b>https://a.example/</b> & <a",
        "",
    ],
)
def test_everything_else_stays_as_it_is(done, html):
    result = done(html)

    assert result.links == {}
    assert result.html == html + PIXEL


def test_the_way_out_is_not_tracked(done, links):
    html = f'<a href="{links.unsubscribe_url}">x</a><a href="{links.preferences_url}&amp;lang=en">y</a><a href="{links.preferences_url}">z</a>'

    result = done(html)

    assert list(result.links) == [f"{links.preferences_url}&lang=en"]
    assert f'<a href="{links.unsubscribe_url}">' in result.html
    assert f'<a href="{links.preferences_url}">' in result.html


def test_another_address_that_merely_looks_like_the_way_out_is_tracked(done):
    assert list(done('<a href="https://a.example/v1/email/unsubscribe">x</a>').links) == [
        "https://a.example/v1/email/unsubscribe"
    ]


def test_the_pixel_stands_before_the_last_end_of_the_body(done):
    html = "<html><body><!-- </body> --><p title='</body>'>x</p></BODY ></html>"

    assert done(html).html == f"<html><body><!-- </body> --><p title='</body>'>x</p>{PIXEL}</BODY ></html>"


def test_the_output_of_mjml_is_otherwise_left_to_the_last_character(done):
    html = mrml.to_html(MJML).content

    result = done(html)

    assert list(result.links) == ["https://a.example/?a=1&b=2", "https://b.example/", "https://f.example/"]
    assert len(CLICK.findall(result.html)) == 5
    assert result.html.endswith(f"{PIXEL}</body></html>")
    assert restored(result) == html


def test_the_output_of_mjml_holds_what_mail_clients_depend_on():
    html = mrml.to_html(MJML).content

    for needle in (
        "<!doctype html>",
        "<!--[if mso",
        "<!--[if !mso]><!-->",
        "<style",
        "a:hover",
        "https://fonts.example/",
        "&eacute; &nbsp;",
    ):
        assert needle in html
