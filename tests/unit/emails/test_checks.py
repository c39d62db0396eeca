import pytest

from emails.checks import check_emails
from emails.definitions import Email
from lists.definitions import EmailList
from lists.definitions import registry as lists

MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"


def said():
    return [(error.id, error.msg) for error in check_emails(None)]


def test_an_email_that_can_be_sent_is_not_mentioned(write):
    Email("hello", category="journey", sample={"product": "Acme", "order": {"total": 7}})
    write(
        "hello",
        subject_txt="{{ product }} for {{ contact.first_name }}",
        body_mjml=MJML
        % "{{ props.product }} {{ order.total }} {{ contact.properties.plan }} {{ brand.name }} {{ unsubscribe_url }}",
    )

    assert said() == []


def test_missing_templates_are_told_with_the_place_to_put_them(write):
    Email("hello", category="journey")

    first, second = check_emails(None)

    assert (first.id, first.msg) == ("emails.E003", "E-mail 'hello': there is no subject.txt for it.")
    assert first.hint == "Create templates/emails/hello/subject.txt in the app that declares it."
    assert second.msg == "E-mail 'hello': there is no body.mjml or body.html for it."
    assert str(first).startswith(f"{__file__}:")


def test_a_declared_subject_needs_no_file(write):
    Email("hello", category="journey", subject="Hi")
    write("hello", body_html="<p>x</p>")

    assert said() == []


def test_an_unknown_category_is_told_with_the_nearest_one(write):
    Email("hello", category="jurney")
    write("hello", subject_txt="Hi", body_html="<p>x</p>")

    assert said() == [
        (
            "emails.E001",
            "E-mail 'hello': its category 'jurney' is neither transactional nor journey nor the id of a list. Did you mean 'journey'?",
        )
    ]


@pytest.mark.parametrize("category", ["transactional", "journey", "product-updates"])
def test_known_categories_are_taken(write, category):
    Email("hello", category=category)
    write("hello", subject_txt="Hi", body_html="<p>x</p>")

    with lists.scratch():
        if "product-updates" not in lists:
            EmailList("product-updates", name="Product updates", default_opt_in=False)
        assert said() == []


def test_a_name_that_is_not_in_the_sample_is_told_with_the_nearest_one(write):
    Email("hello", category="journey", sample={"product": "Acme"})
    write("hello", subject_txt="Hi", body_html="<p>{{ prodcut }}</p>{{ contact.firstname }}{% if maybe %}x{% endif %}")

    assert said() == [
        (
            "emails.E005",
            "E-mail 'hello': a template uses 'contact.firstname', which is not in its sample. Did you mean 'contact.first_name'?",
        ),
        (
            "emails.E005",
            "E-mail 'hello': a template uses 'prodcut', which is not in its sample. Did you mean 'product'?",
        ),
    ]


def test_a_sample_that_cannot_be_rendered_is_told(write):
    Email("hello", category="journey")
    write("hello", subject_txt="Hi", body_mjml="<mjml><mj-body><mj-text></mj-body></mjml>")

    ((number, words),) = said()
    assert number == "emails.E004"
    assert "The e-mail 'hello' cannot be rendered: emails/hello/body.mjml: " in words


def test_a_template_that_does_not_compile_is_told_once(write):
    Email("hello", category="journey")
    write("hello", subject_txt="Hi", body_html="{% nope %}")

    ((number, words),) = said()
    assert number == "emails.E004"
    assert "emails/hello/body.html: Invalid block tag" in words


def test_a_sample_must_not_use_our_names(write):
    Email("hello", category="journey", sample={"contact": "x"})
    write("hello", subject_txt="Hi", body_html="<p>x</p>")

    assert said() == [
        ("emails.E002", "E-mail 'hello': its sample has a value 'contact', a name that templates get from us.")
    ]
