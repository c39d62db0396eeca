from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from emails.models import Reason
from lists.definitions import EmailList, registry
from preferences.rules import Block, Consent, choices_made, gate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = UUID("01890000-0000-7000-8000-000000000001")


@pytest.fixture(autouse=True)
def _lists() -> Iterator[None]:
    with registry.scratch():
        EmailList("news", name="News", default_opt_in=True)
        EmailList("beta", name="Beta", default_opt_in=False)
        yield


def consent(**facts) -> Consent:
    return Consent(**{"contact_id": ADA, "email": "ada@example.com", **facts})


EVERYTHING = {
    "deleted": True,
    "email": None,
    "suppressed": True,
    "unsubscribed_all": True,
    "paused_until": NOW + timedelta(days=1),
    "categories": {"news": False},
}
ORDER = [
    ("deleted", Block.DELETED),
    ("email", Block.NO_ADDRESS),
    ("suppressed", Block.SUPPRESSED),
    ("unsubscribed_all", Block.UNSUBSCRIBED),
    ("paused_until", Block.PAUSED),
    ("categories", Block.CATEGORY),
]


@pytest.mark.parametrize("position", range(len(ORDER)))
def test_the_first_block_of_the_order_is_the_one_that_is_told(position):
    remaining = {fact: EVERYTHING[fact] for fact, _ in ORDER[position:]}

    assert gate(consent(**remaining), category="news", now=NOW) is ORDER[position][1]


def test_who_said_nothing_gets_mail():
    assert gate(consent(), category="news", now=NOW) is None


def test_an_empty_address_is_no_address():
    assert gate(consent(email=""), category="news", now=NOW) is Block.NO_ADDRESS


def test_a_list_that_must_be_joined_blocks_who_never_joined():
    assert gate(consent(), category="beta", now=NOW) is Block.CATEGORY


def test_a_list_that_was_joined_lets_through():
    assert gate(consent(categories={"beta": True}), category="beta", now=NOW) is None


@pytest.mark.parametrize("category", ["journey", "transactional", "onboarding"])
def test_an_explicit_no_blocks_any_category(category):
    assert gate(consent(categories={category: False}), category=category, now=NOW) is Block.CATEGORY


def test_leaving_all_mail_blocks_transactional_mail_too():
    assert gate(consent(unsubscribed_all=True), category="transactional", now=NOW) is Block.UNSUBSCRIBED


def test_a_pause_ends_at_its_very_moment():
    assert gate(consent(paused_until=NOW), category="news", now=NOW) is None


def test_a_pause_does_not_swallow_transactional_mail():
    assert gate(consent(paused_until=NOW + timedelta(days=1)), category="transactional", now=NOW) is None


def test_every_block_is_a_reason_of_the_send_ledger():
    assert {block.value for block in Block} <= set(Reason.values)


def test_only_what_was_switched_is_a_choice():
    made = choices_made(consent(), shown={"news": True, "beta": False}, wanted={"news", "beta"})

    assert made == {"beta": True}


def test_opt_outs_come_first():
    made = choices_made(consent(), shown={"beta": False, "news": True}, wanted={"beta"})

    assert list(made.items()) == [("news", False), ("beta", True)]


def test_what_was_not_shown_cannot_be_chosen():
    assert choices_made(consent(), shown={"news": True}, wanted={"news", "beta"}) == {}


def test_coming_back_to_one_list_does_not_bring_back_the_others():
    left = consent(unsubscribed_all=True)

    made = choices_made(left, shown={"journey": False, "news": False, "beta": False}, wanted={"news"})

    assert list(made.items()) == [("journey", False), ("news", True)]


def test_saving_without_a_tick_does_not_come_back():
    left = consent(unsubscribed_all=True)

    assert choices_made(left, shown={"journey": False, "news": False}, wanted=set()) == {}
