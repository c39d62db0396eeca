from datetime import datetime, timedelta

import pytest

from buckets.definitions import Bucket
from buckets.definitions import registry as buckets
from emails.definitions import Email
from emails.definitions import registry as emails
from hogsend.authoring import days, journey, prop, send_email
from journeys.checks import check_journeys
from journeys.definitions import registry
from journeys.reactions import declare_reactions

PAUSE = days(1)


@pytest.fixture(autouse=True)
def scratch():
    with registry.scratch(), emails.scratch():
        registry._items.clear()
        emails._items.clear()
        Email("welcome", category="journey")
        yield


def test_a_journey_in_order_has_no_messages():
    @journey(id="fine", trigger="go")
    def fine(user, ctx):
        send_email(user, "welcome")
        send_email(user, user.properties["which"])
        ctx.sleep(days(2))
        ctx.sleep(days(2) + timedelta(hours=3))
        ctx.sleep(PAUSE, label="pause")
        ctx.sleep(2 * PAUSE)
        ctx.sleep_until("2030-01-01T00:00:00Z")
        ctx.sleep_until(user.properties["when"], label="then")
        ctx.checkpoint("end")
        user.sleep(user.properties["when"])

    assert check_journeys() == []


def test_a_mail_that_is_not_declared_is_found_with_a_did_you_mean():
    @journey(id="typo", trigger="go")
    def typo(user, ctx):
        send_email(user, "wellcome")
        send_email(user, email_id="unlike-any-other")

    first, second = check_journeys()

    assert (first.id, first.hint) == ("journeys.E001", "There is no e-mail 'wellcome'. Did you mean 'welcome'?")
    assert second.hint == "There is no e-mail 'unlike-any-other'."
    assert "Journey 'typo'" in first.msg
    assert __file__ in first.msg


def test_a_label_that_is_used_twice_is_found():
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        ctx.sleep(days(1), label="rest")
        ctx.sleep_until("2030-01-01T00:00:00Z", "rest")
        ctx.checkpoint("end")

    [message] = check_journeys()

    assert (message.id, "'rest' 2 times" in message.msg) == ("journeys.E002", True)


def test_a_wait_of_computed_length_must_have_a_label():
    @journey(id="computed", trigger="go")
    def computed(user, ctx):
        ctx.sleep(days(user.properties["days"]))
        ctx.sleep_until(datetime.now() + days(2))  # noqa: DTZ005

    messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E003"] * 2
    assert "ctx.sleep(…, label='…')" in messages[0].hint
    assert "ctx.sleep_until(…, label='…')" in messages[1].hint


def test_reactions_of_buckets_are_read_like_any_journey():
    with buckets.scratch():
        buckets._items.clear()
        trial = Bucket("trial", name="On trial", criteria=prop("plan").eq("trial"))

        @trial.on("dwell", after=days(3))
        def nudge(user, ctx):
            send_email(user, "wellcome")
            ctx.sleep(days(ctx.dwell_count))

        trial.on("enter", lambda user, ctx: send_email(user, "welcome"))
        declare_reactions()

        messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E001", "journeys.E003"]
    assert "Journey 'bucket-trial-on-dwell-after-259200000'" in messages[0].msg
