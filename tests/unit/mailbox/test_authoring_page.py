"""The examples of docs/authoring/emails.md are real: they are declared, written to a folder and rendered."""

import re
from copy import deepcopy
from pathlib import Path

import pytest

from emails.checks import check_emails
from emails.definitions import registry as emails
from emails.render import MailLinks, Recipient, render
from journeys.definitions import registry as journeys

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "authoring" / "emails.md").read_text()
FILES = dict(
    re.findall(r"^`(subject\.txt|body\.mjml|body\.txt)`:\n\n```django\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
)
DECLARATION, JOURNEY = re.findall(r"^```python\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
LINKS = MailLinks("https://mail.example/unsubscribe", "https://mail.example/preferences")


@pytest.fixture
def written(tmp_path, settings):
    folder = tmp_path / "emails" / "trial-ending"
    folder.mkdir(parents=True)
    for name, words in FILES.items():
        (folder / name).write_text(words)
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path, *templates[0]["DIRS"]]
    settings.TEMPLATES = templates
    with emails.scratch(), journeys.scratch():
        exec(compile(DECLARATION, "emails.md", "exec"), {})
        yield


def test_the_page_shows_every_file_of_a_mail():
    assert set(FILES) == {"subject.txt", "body.mjml", "body.txt"}


def test_the_example_passes_the_checks(written):
    assert [error for error in check_emails(None) if "trial-ending" in error.msg] == []


def test_the_example_renders_as_the_page_says(written):
    sample = emails.get("trial-ending").sample

    mail = render("trial-ending", props=sample, links=LINKS, contact=Recipient("ada@example.com", "Ada"))

    assert mail.subject == "3 days left in your trial"
    assert "the Pro plan" in mail.text
    assert "Hi Ada," in mail.html
    assert "<mj-" not in mail.html
    assert mail.html.count("https://example.com/plans") == mail.text.count("https://example.com/plans") == 1


def test_the_example_reads_naturally_with_nothing_known(written):
    mail = render("trial-ending", props={"days_left": 1}, links=LINKS, contact=Recipient("ada@example.com", ""))

    assert mail.subject == "1 day left in your trial"
    assert "Hi there," in mail.text
    assert "the full plan" in mail.text


def test_the_example_journey_can_be_declared(written):
    exec(compile(JOURNEY, "emails.md", "exec"), {})

    assert "trial-ends" in journeys


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(?:emails/)?([a-z]+\.(?:mjml|css))`", PAGE)) - {"body.mjml"}))
def test_every_file_of_the_base_that_the_page_names_exists(name):
    assert (ROOT / "templates" / "emails" / name).exists()


def test_the_blocks_the_page_names_are_the_blocks_of_the_base():
    base = (ROOT / "templates" / "emails" / "base.mjml").read_text()

    assert set(re.findall(r"^\| `(preheader|content|why|lang)` \|", PAGE, re.MULTILINE)) == set(
        re.findall(r"{% block (\w+) %}", base)
    )
