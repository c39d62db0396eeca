import pytest

from emails.definitions import Email
from emails.render import MailLinks, Recipient, RenderError, render
from hogsend.lib.registry import UnknownIdError

MJML = (
    "<mjml><mj-head><mj-title>{{ subject }}</mj-title></mj-head><mj-body><mj-section><mj-column>"
    "<mj-text>Hello {{ contact.first_name }}, %s</mj-text></mj-column></mj-section></mj-body></mjml>"
)


@pytest.fixture
def shown(links, ada):
    """Declare ``hello`` and render it: ``shown(name="Ada")``."""
    Email("hello", category="journey")

    def shown(*, contact=ada, subject=None, **props):
        return render("hello", props=props, links=links, contact=contact, subject=subject)

    return shown


def test_values_are_reachable_by_name_and_below_props(write, shown):
    write("hello", subject_txt="{{ product }} {{ props.product }}", body_html="<p>x</p>")

    assert shown(product="Acme").subject == "Acme Acme"


def test_a_template_knows_the_person_the_brand_and_the_way_out(write, shown, links, settings):
    settings.HOGSEND_BRAND_NAME, settings.HOGSEND_BRAND_ADDRESS = "Acme", "1 Road"
    write(
        "hello",
        subject_txt="Hi",
        body_html="{{ contact.first_name }}|{{ contact.email }}|{{ contact.properties.plan }}|{{ brand.name }}|"
        "{{ brand.address }}|{{ email_id }}|{{ subject }}|{{ unsubscribe_url }}|{{ preferences_url }}",
    )

    assert shown().html.split("|") == [
        "Ada", "ada@example.com", "pro", "Acme", "1 Road", "hello", "Hi", links.unsubscribe_url, links.preferences_url,
    ]  # fmt: skip


def test_what_is_ours_wins_over_a_value_of_the_same_name(write, shown, links):
    write("hello", subject_txt="Hi", body_html="{{ unsubscribe_url }}")

    assert shown(unsubscribe_url="https://evil.example/").html == links.unsubscribe_url


@pytest.mark.parametrize("body", [{"body_html": "<p>{{ word }}</p>"}, {"body_mjml": MJML % "{{ word }}"}])
def test_markup_in_a_value_is_text(write, shown, body):
    write("hello", subject_txt="Hi", **body)

    html = shown(word='<script>alert("1")</script><mj-raw><b>&amp;').html

    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;mj-raw&gt;&lt;b&gt;&amp;amp;" in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    "body",
    [{"body_html": "<p>{{ contact.properties.plan }}</p>"}, {"body_mjml": MJML % "{{ contact.properties.plan }}"}],
)
def test_markup_in_a_property_of_the_person_is_text(write, shown, body):
    write("hello", subject_txt="Hi", **body)

    html = shown(contact=Recipient("ada@example.com", "Ada", {"plan": "<script>x</script>"})).html

    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "<script>" not in html


def test_a_value_is_never_a_template(write, shown):
    write("hello", subject_txt="{{ word }}", body_html="<p>{{ word }}</p>")

    assert shown(word="{% include 'x' %}{{ contact.email }}").subject == "{% include 'x' %}{{ contact.email }}"


def test_plain_parts_are_not_escaped(write, shown):
    write("hello", subject_txt="{{ word }}", body_html="<p>x</p>", body_txt="{{ word }}")

    mail = shown(word="Tom & 'Jerry'")

    assert (mail.subject, mail.text) == ("Tom & 'Jerry'", "Tom & 'Jerry'\n")


def test_a_subject_cannot_begin_a_header(write, shown):
    write("hello", subject_txt="Hi {{ word }}\n", body_html="<p>x</p>")

    assert shown(word="Ada\r\nBcc: all@example.com").subject == "Hi Ada Bcc: all@example.com"


def test_a_given_subject_is_one_line_too_and_no_template(write, shown):
    write("hello", subject_txt="Hi", body_html="<p>{{ subject }}</p>")

    mail = shown(subject="Late\n{{ contact.email }}")

    assert mail.subject == "Late {{ contact.email }}"
    assert mail.html == "<p>Late {{ contact.email }}</p>"


def test_a_declared_subject_needs_no_file(write, links, ada):
    Email("plain", category="journey", subject="Declared")
    write("plain", body_html="<p>x</p>")

    assert render("plain", props={}, links=links, contact=ada).subject == "Declared"


def test_a_name_nobody_gave_is_empty_and_may_have_a_default(write, shown):
    write("hello", subject_txt='Hi {{ nobody|default:"you" }}', body_html="<p>[{{ nobody }}]</p>")

    mail = shown()

    assert (mail.subject, mail.html) == ("Hi you", "<p>[]</p>")


def test_mjml_becomes_html(write, shown):
    write("hello", subject_txt="Hi & bye", body_mjml=MJML % "welcome")

    html = shown().html

    assert html.lower().startswith("<!doctype html>")
    assert "<title>Hi &amp; bye</title>" in html
    assert ">Hello Ada, welcome</div>" in html
    assert "<mj-" not in html


def test_mjml_is_preferred_to_html(write, shown):
    write("hello", subject_txt="Hi", body_mjml=MJML % "from mjml", body_html="from html")

    assert "from mjml" in shown().html


def test_styles_of_plain_html_are_inlined_and_kept_for_the_rest(write, shown):
    write(
        "hello",
        subject_txt="Hi",
        body_html="<html><head><style>p {color: red} @media print {p {color: black}}</style></head><body><p>x</p></body></html>",
    )

    html = shown().html

    assert '<p style="color: red;">x</p>' in html
    assert "@media print" in html


def test_html_without_styles_is_left_as_it_is(write, shown):
    words = "<!DOCTYPE html><p>caf&eacute; <!--[if mso]><i>x</i><![endif]--></p>"
    write("hello", subject_txt="Hi", body_html=words)

    assert shown().html == words


def test_the_text_part_is_derived_with_its_links(write, shown):
    write(
        "hello",
        subject_txt="Hi",
        body_html='<p>Read <a href="https://a.example/?a=1&amp;b=2">this</a> &amp; that</p><style>p{}</style>',
    )

    assert shown().text == "Read [this](https://a.example/?a=1&b=2) & that\n"


def test_templates_may_build_on_each_other(write, shown):
    write("base", frame_html="<main>{% block words %}{% endblock %}</main>")
    write(
        "hello", subject_txt="Hi", body_html='{% extends "emails/base/frame.html" %}{% block words %}Hi{% endblock %}'
    )

    assert shown().html == "<main>Hi</main>"


def test_an_unknown_email_is_said_to_be_unknown(links, ada):
    with pytest.raises(UnknownIdError, match="There is no e-mail 'nothing'"):
        render("nothing", props={}, links=links, contact=ada)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"body_html": "x"},
            "The e-mail 'hello' cannot be rendered: emails/hello/subject.txt: the file does not exist",
        ),
        ({"subject_txt": " \n", "body_html": "x"}, "emails/hello/subject.txt: the subject is empty"),
        ({"subject_txt": "Hi"}, "emails/hello/body.mjml: neither body.mjml nor body.html exists"),
        ({"subject_txt": "{% if %}", "body_html": "x"}, "emails/hello/subject.txt: Unexpected end of expression"),
        ({"subject_txt": "Hi", "body_html": "{% nope %}"}, "emails/hello/body.html: Invalid block tag"),
        (
            {"subject_txt": "Hi", "body_html": '{% include "emails/nope.html" %}'},
            "emails/hello/body.html: it needs emails/nope.html, which does not exist.",
        ),
        (
            {"subject_txt": "Hi", "body_html": '{% extends "emails/nope.html" %}'},
            "emails/hello/body.html: it needs emails/nope.html, which does not exist.",
        ),
        ({"subject_txt": "Hi", "body_mjml": "<mjml><mj-body><mj-text>a</mj-body></mjml>"}, "emails/hello/body.mjml: "),
        ({"subject_txt": "Hi", "body_html": "{% widthratio 1 0 %}{{ word.boom }}"}, "emails/hello/body.html: "),
    ],
)
def test_what_cannot_be_rendered_names_the_mail_and_the_template(write, shown, files, sentence):
    write("hello", **files)

    with pytest.raises(RenderError) as failure:
        shown(word=Boom())

    assert sentence in str(failure.value)


class Boom:
    @property
    def boom(self):
        message = "no such thing"
        raise ValueError(message)


def test_links_contain_exactly_the_addresses_of_their_mail():
    links = MailLinks("https://a.example/u", "https://a.example/p")

    assert [url in links for url in ("https://a.example/u", "https://a.example/p", "https://a.example/u?x")] == [
        True,
        True,
        False,
    ]
