"""The examples of docs/authoring/journeys.md are real: they are declared, pass the checks, and their tests pass."""

import re
from pathlib import Path

import pytest

import journeys.checks
from emails.definitions import registry as emails
from journeys.checks import check_journeys
from journeys.definitions import registry

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "authoring" / "journeys.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TESTS = re.findall(r"^def (test_\w+)\(\):$", "".join(BLOCKS), re.MULTILINE)
SOURCES = ("checks", "traps", "purity")


@pytest.fixture
def content():
    """The shipped mails and journeys, in place of those of this folder."""
    with registry.scratch(), emails.scratch():
        yield


@pytest.fixture
def page(content, tmp_path):
    """All examples, as one module of which the source can be read."""
    file = tmp_path / "journeys_page.py"
    file.write_text("\n\n".join(BLOCKS))
    examples: dict[str, object] = {"__name__": "journeys_page"}
    exec(compile(file.read_text(), str(file), "exec"), examples)
    return examples


def test_the_page_has_examples_of_everything():
    said = "".join(BLOCKS)

    assert len(TESTS) >= 8
    for call in ("ctx.sleep(", "ctx.wait_for_event(", "ctx.when.", "ctx.trigger(", "ctx.identify(", "ctx.step("):
        assert call in said


@pytest.mark.django_db
@pytest.mark.parametrize("name", TESTS)
def test_the_tests_of_the_page_pass(page, name):
    page[name]()


def test_the_examples_pass_the_checks(page):
    assert [message for message in check_journeys() if "journeys_page" in message.msg] == []


def test_the_page_names_every_check():
    folder = Path(journeys.checks.__file__).parent
    known = {
        f"journeys.{number}"
        for name in SOURCES
        for number in re.findall(r"\b([EW]00\d)\b", (folder / f"{name}.py").read_text())
    }

    assert set(re.findall(r"`(journeys\.[EW]\d+)`", PAGE)) == known
