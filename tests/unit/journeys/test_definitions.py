from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest

from conditions.tree import ConditionError
from hogsend.authoring import days, exit_rule, hours, journey, prop, send_email
from hogsend.lib.registry import DuplicateIdError
from journeys.definitions import index, registry
from journeys.rules import EntryLimit
from journeys.validation import ExitRule, InvalidJourneyError


@pytest.fixture(autouse=True)
def scratch():
    with registry.scratch():
        registry._items.clear()
        yield


def declare(**changed):
    def run(user, ctx):
        pass

    return journey(**{"id": "welcome", "trigger": "user.created", **changed})(run)


def test_a_declared_journey_is_registered_with_its_place_and_its_defaults():
    welcome = declare()

    assert registry.get("welcome") is welcome
    assert registry.source("welcome").file == __file__
    assert (welcome.name, welcome.description, welcome.where, welcome.exit_on) == ("welcome", "", (), ())
    assert (welcome.entry_limit, welcome.entry_period) == (EntryLimit.ONCE, None)
    assert (welcome.suppress, welcome.enabled, welcome.category) == (timedelta(0), True, None)


def test_a_journey_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        declare().trigger = "other"


def test_conditions_and_exits_may_be_written_in_several_ways():
    plain = {"type": "property", "property": "plan", "operator": "eq", "value": "trial"}
    welcome = declare(where=plain, exit_on=["left", exit_rule("changed", where=prop("plan").eq("paid"))])

    assert welcome.where == (prop("plan").eq("trial"),)
    assert welcome.exit_on == (ExitRule("left"), ExitRule("changed", (prop("plan").eq("paid"),)))


def test_a_period_is_24_hours_when_none_is_given():
    assert declare(entry_limit="once_per_period").entry_period == hours(24)
    assert declare(id="b", entry_limit="once_per_period", entry_period=days(3)).entry_period == days(3)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"id": ""}, "The journey id '' is not usable"),
        ({"id": "a b"}, "The journey id 'a b' is not usable"),
        ({"id": "-a"}, "is not usable"),
        ({"id": 5}, "is not usable"),
        ({"trigger": ""}, "The journey 'welcome' needs the exact name of an event"),
        ({"trigger": " a"}, "needs the exact name of an event"),
        ({"entry_limit": "twice"}, "take one of 'once', 'once_per_period', 'unlimited'"),
        ({"entry_period": days(1)}, "add entry_limit='once_per_period'"),
        ({"entry_limit": "once_per_period", "entry_period": days(0)}, "write a positive one"),
        ({"entry_limit": "once_per_period", "entry_period": 3}, "write a positive one"),
        ({"exit_on": "left"}, "write exit_on=['left']"),
        ({"exit_on": [""]}, "exit_on of the journey 'welcome' needs the exact name of an event"),
        ({"exit_on": [5]}, "needs the exact name of an event"),
        ({"suppress": -hours(1)}, "write a duration"),
        ({"suppress": 3}, "write a duration"),
        ({"version": 0}, "The journey 'welcome' has version=0; give a whole number from 1 on."),
        ({"version": "2"}, "give a whole number from 1 on"),
        ({"version": True}, "give a whole number from 1 on"),
        ({"version": 2**31}, "give a whole number from 1 on"),
        ({"keep": [1]}, "write keep={1: run_v1}"),
        ({"version": 2, "keep": {0: lambda user, ctx: None}}, "keeps the version 0"),
        ({"version": 2, "keep": {"1": lambda user, ctx: None}}, "keeps the version '1'"),
        ({"version": 2, "keep": {2: lambda user, ctx: None}}, "keeps version 2, which is the current one"),
        ({"version": 2, "keep": {1: lambda user: None}}, "keeps a version 1 that must take two arguments"),
        ({"version": 2, "keep": {1: "run_v1"}}, "keeps a version 1 that needs a function"),
    ],
)
def test_a_mistake_in_a_declaration_is_refused_with_a_sentence(mistake, sentence):
    with pytest.raises(InvalidJourneyError) as refused:
        declare(**mistake)

    assert sentence in str(refused.value)
    assert len(registry) == 0


def test_a_condition_that_means_nothing_is_refused_with_the_name_of_the_journey():
    with pytest.raises(ConditionError, match=r"The journey 'welcome': .*takes a number"):
        declare(where={"type": "property", "property": "p", "operator": "gt", "value": "5"})


def test_a_journey_is_at_version_1_and_keeps_nothing_unless_it_says_so():
    def run_v1(user, ctx):
        pass

    first, third = declare(), declare(id="third", version=3, keep={1: run_v1})

    assert (first.version, dict(first.keep), set(first.functions)) == (1, {}, {1})
    assert (third.version, dict(third.keep)) == (3, {1: run_v1})
    assert third.functions == {1: run_v1, 3: third.run}


def test_what_a_journey_keeps_cannot_be_changed_later():
    def run_v1(user, ctx):
        pass

    kept = {1: run_v1}
    journey = declare(version=2, keep=kept)

    kept.clear()

    assert dict(journey.keep) == {1: run_v1}
    with pytest.raises(TypeError):
        journey.keep[1] = run_v1


def test_each_version_has_a_hash_of_its_own():
    journey = declare(version=2, keep={1: altered})

    assert journey.code_hash_of(2) == journey.code_hash
    assert journey.code_hash_of(1) not in ("", journey.code_hash)
    assert journey.code_hash_of(3) == ""


def test_a_kept_function_hashes_as_it_did_when_it_was_the_journey_itself():
    before = journey(id="before", trigger="go")(plain)

    after = journey(id="after", trigger="go", version=2, keep={1: plain})(altered)

    assert after.code_hash_of(1) == before.code_hash


def test_a_version_may_be_lower_than_a_kept_one_when_a_deploy_is_taken_back():
    assert set(declare(version=1, keep={2: plain}).functions) == {1, 2}


def one_argument(user):
    pass


async def asynchronous(user, ctx):
    pass


def generator(user, ctx):
    yield


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (one_argument, "must take two arguments"),
        (asynchronous, "remove async and yield"),
        (generator, "remove async and yield"),
        (InvalidJourneyError, "needs a function"),
    ],
)
def test_what_cannot_be_played_is_refused(run, sentence):
    with pytest.raises(InvalidJourneyError, match=sentence):
        journey(id="welcome", trigger="user.created")(run)


def test_two_journeys_of_one_id_are_refused_and_the_first_is_named():
    declare()

    with pytest.raises(DuplicateIdError, match=r"first declared in .*test_definitions.py"):
        declare()


def plain(user, ctx):
    ctx.sleep(days(2))
    send_email(user, "hello")


def commented(user, ctx):
    """Say hello, but not at once."""
    # two days

    ctx.sleep(
        days(2),
    )
    send_email(user, "hello")  # hello


def altered(user, ctx):
    ctx.sleep(days(3))
    send_email(user, "hello")


def test_the_hash_of_the_code_changes_with_behaviour_and_not_with_form():
    first, same, other = (journey(id=run.__name__, trigger="go")(run) for run in (plain, commented, altered))

    assert first.code_hash == same.code_hash
    assert first.code_hash != other.code_hash
    assert len(first.code_hash) == 64


@pytest.mark.parametrize(
    "changed",
    [
        {"trigger": "other"},
        {"where": prop("plan").eq("trial")},
        {"exit_on": ["left"]},
        {"entry_limit": "unlimited"},
        {"suppress": hours(1)},
        {"category": "news"},
    ],
)
def test_the_hash_of_the_code_changes_with_the_declaration(changed):
    assert declare().code_hash != declare(id="b", **changed).code_hash
    assert declare(id="c").code_hash == declare(id="d", name="D", description="other words").code_hash


def test_the_index_follows_the_registry_and_the_filter(settings):
    one = declare(id="one", exit_on=["left"])
    assert index().by_trigger == {"user.created": (one,)}

    two = declare(id="two")

    assert index().by_trigger == {"user.created": (one, two)}
    assert (index().exit_names, index().exitable) == (frozenset({"left"}), ("one",))
    assert index() is index()
    settings.ENABLED_JOURNEYS = frozenset({"two", "unknown"})
    assert index().by_trigger == {"user.created": (two,)}
    assert set(index().by_id) == {"one", "two"}
    settings.ENABLED_JOURNEYS = frozenset({"unknown"})
    assert index().by_trigger == {}


def test_the_index_forgets_what_a_scratch_registry_held():
    with registry.scratch():
        declare()
        assert "welcome" in index().by_id

    assert index().by_id == {}


def test_the_hash_of_the_code_changes_with_a_constant_that_the_code_takes_from_its_module(monkeypatch):
    first = journey(id="first", trigger="go")(takes_constants).code_hash
    monkeypatch.setitem(globals(), "UNUSED", 2)
    assert journey(id="second", trigger="go")(takes_constants).code_hash == first

    monkeypatch.setitem(globals(), "PAUSE", days(4))

    assert journey(id="third", trigger="go")(takes_constants).code_hash != first


PAUSE, UNUSED = days(3), 1


def takes_constants(user, ctx):
    ctx.once("pause", lambda: PAUSE)
