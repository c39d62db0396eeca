import inspect

import pytest

from emails.definitions import Email, InvalidEmailError, registry
from hogsend.lib.registry import DuplicateIdError, UnknownIdError


def test_declaring_an_email_registers_it():
    hello = Email("hello", category="journey")

    assert registry.get("hello") is hello


def test_the_registry_knows_where_an_email_was_declared():
    line = inspect.currentframe().f_lineno + 1
    Email("hello", category="journey")

    source = registry.source("hello")
    assert (source.file, source.line) == (__file__, line)


def test_an_email_without_a_name_is_called_by_its_id():
    assert Email("hello", category="journey").name == "hello"


@pytest.mark.parametrize("email_id", ["a", "welcome", "transactional/magic-link", "0_a-b"])
def test_usable_ids_are_taken(email_id):
    assert Email(email_id, category="journey").folder == f"emails/{email_id}"


@pytest.mark.parametrize("email_id", ["", "Welcome", "-a", "/etc/passwd", "a b", "a.b", "../a", "é", "a\n"])
def test_unusable_ids_are_refused(email_id):
    with pytest.raises(InvalidEmailError, match="is not usable; take small letters"):
        Email(email_id, category="journey")


def test_an_email_needs_a_category():
    with pytest.raises(InvalidEmailError, match="needs a category"):
        Email("hello", category="")


def test_two_emails_cannot_share_an_id():
    Email("hello", category="journey")

    with pytest.raises(DuplicateIdError, match="give each its own"):
        Email("hello", category="transactional")


def test_an_unknown_email_is_answered_with_the_nearest_one():
    Email("welcome", category="journey")

    with pytest.raises(UnknownIdError, match=r"There is no e-mail 'welcmoe'\. Did you mean 'welcome'\?"):
        registry.get("welcmoe")
