from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from emails.models import Reason
from lists.definitions import EmailList, registry
from preferences.rules import Block, Choice, Consent, Standing, after, choices_made, fold, gate, part_again

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


def chose(category: str | None, *, yes: bool, door: str = "api") -> Choice:
    return Choice(ADA, category, yes, door)


def test_a_choice_becomes_the_persons_own():
    assert after(Standing(), chose("news", yes=False)) == (Standing(categories={"news": False}), ["news"])


def test_a_choice_made_before_changes_nothing():
    standing = Standing(unsubscribed_all=True, categories={"news": False})

    assert after(standing, chose("news", yes=False)) == (standing, [])
    assert after(standing, chose(None, yes=False)) == (standing, [])


@pytest.mark.parametrize(("door", "off"), [("page", False), ("one-click", False), ("api", True), ("import", True)])
def test_only_in_person_does_coming_back_to_a_list_bring_back_all_mail(door, off):
    standing, changed = after(Standing(unsubscribed_all=True), chose("news", yes=True, door=door))

    assert standing.unsubscribed_all is off
    assert changed == ([None, "news"] if not off else ["news"])


def test_joining_a_list_takes_its_bar_away_and_no_other():
    standing = Standing(categories={"news": True}, barred_all=True, barred=frozenset({"news", "beta"}))

    then, changed = after(standing, chose("news", yes=True))

    assert (then.barred_all, then.barred, changed) == (True, {"beta"}, ["news"])


def test_coming_back_to_all_mail_takes_its_bar_away():
    then, changed = after(Standing(barred_all=True, barred=frozenset({"news"})), chose(None, yes=True))

    assert (then.barred_all, then.barred, changed) == (False, {"news"}, [None])


def test_leaving_what_is_barred_is_a_choice_of_ones_own():
    then, changed = after(Standing(barred=frozenset({"news"})), chose("news", yes=False))

    assert (then.categories, then.barred, changed) == ({"news": False}, {"news"}, ["news"])


def test_two_who_are_one_have_refused_what_either_refused():
    survivor = Standing(categories={"news": True, "beta": False}, paused_until=NOW)
    absorbed = Standing(
        unsubscribed_all=True,
        categories={"news": False, "beta": True, "tips": True},
        paused_until=NOW + timedelta(days=1),
    )

    assert fold(survivor, absorbed) == Standing(
        unsubscribed_all=True,
        categories={"news": False, "beta": False, "tips": True},
        paused_until=NOW + timedelta(days=1),
    )


def test_the_bars_of_the_survivor_are_not_folded():
    survivor = Standing(barred_all=True, barred=frozenset({"news"}))

    assert fold(survivor, Standing(categories={"beta": True})) == Standing(
        categories={"beta": True}, barred_all=True, barred=frozenset({"news"})
    )


def parted(*, former=None, folded=None, now=None, left_since=()) -> Standing:
    return part_again(
        former=former or Standing(),
        folded=folded or Standing(),
        now=now or Standing(),
        left_since=frozenset(left_since),
    )


def test_who_is_two_again_has_their_former_choices():
    former = Standing(unsubscribed_all=True, categories={"news": True, "beta": False}, paused_until=NOW)

    assert parted(former=former, folded=former, now=Standing()) == former


def test_what_was_refused_since_the_merge_is_refused_by_both():
    now = Standing(unsubscribed_all=True, categories={"news": False, "beta": True})

    assert parted(former=Standing(categories={"news": True}), now=now) == Standing(
        unsubscribed_all=True, categories={"news": False}
    )


def test_what_the_survivor_had_refused_before_is_theirs_alone():
    now = Standing(categories={"news": False})

    assert parted(folded=now, now=now) == Standing()


def test_what_was_joined_and_left_again_since_the_merge_is_refused_by_both():
    now = Standing(categories={"news": False})

    assert parted(folded=now, now=now, left_since=["news"]) == Standing(categories={"news": False})


def test_what_was_left_and_joined_again_since_the_merge_is_refused_by_nobody():
    assert parted(now=Standing(categories={"news": True}), left_since=["news"]) == Standing()


def test_a_pause_since_the_merge_holds_for_both():
    later = NOW + timedelta(days=9)

    assert parted(former=Standing(paused_until=NOW), now=Standing(paused_until=later)).paused_until == later


def test_a_pause_of_the_survivor_alone_is_not_inherited():
    paused = Standing(paused_until=NOW)

    assert parted(folded=paused, now=paused).paused_until is None
