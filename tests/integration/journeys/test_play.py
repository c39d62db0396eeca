"""Journeys played by a test of theirs: a moved clock, scripted events, a mailbox, and the engine itself."""

import time
from datetime import UTC, datetime

import pytest
from django.db import connection

from hogsend.authoring import days, hours, journey, minutes, prop, seconds, send_email
from hogsend.clock import database_now
from journeys.models import JourneyRun
from journeys.testing import JourneyFailedError, Person, ReplayDiffersError, play
from journeys.testing.clock import NoTestDatabaseError

pytestmark = pytest.mark.django_db


def trial(**more):
    @journey(**{"id": "trial", "trigger": "trial.started", "exit_on": ["subscription.created"], **more})
    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="settled")
        if not ctx.history.has_event("feature.used"):
            send_email(user, "news")
        ctx.sleep(days(3), label="the-end")
        send_email(user, "bye")

    return run


def test_time_passes_only_when_it_is_told_to():
    story = play(trial())
    assert story.sent == ["hello"]

    story.after(days(2) - seconds(10))
    assert story.sent == ["hello"]

    story.after(seconds(10))
    assert story.sent == ["hello", "news"]


def test_waits_on_the_way_end_at_their_own_time():
    story = play(trial()).after(days(5))

    assert story.sent == ["hello", "news", "bye"]
    assert [(mail.at - datetime(2026, 1, 5, 12, tzinfo=UTC)).days for mail in story.mailbox] == [0, 2, 5]
    assert story.status == "completed"


def test_what_somebody_does_decides_the_branch():
    story = play(trial()).after(days(1)).does("feature.used", feature="export")

    assert story.after(days(1)).sent == ["hello"]


def test_what_somebody_did_before_counts():
    ada = Person()
    ada.does("feature.used").after(days(10))

    assert play(trial(), ada).after(days(5)).sent == ["hello", "bye"]


def test_an_exit_ends_the_story():
    story = play(trial()).after(days(1)).does("subscription.created").after(days(30))

    assert (story.status, story.exit_reason, story.sent) == ("exited", "subscription.created", ["hello"])


def test_a_story_tells_what_it_waits_for():
    story = play(trial())

    wait = story.waits_for

    assert (wait.label, wait.event) == ("settled", None)
    assert abs(wait.until - datetime(2026, 1, 7, 12, tzinfo=UTC)) < seconds(5)
    assert story.steps == ["user", "send:start:hello", "sleep:settled"]
    assert "waiting at 'settled' until Wed 2026-01-07 12:00, sent ['hello']" in repr(story)


def test_a_wait_for_an_event_tells_its_name_and_ends_by_it():
    @journey(id="answer", trigger="asked")
    def answer(user, ctx):
        came = ctx.wait_for_event("answered", timeout=days(3), where=[prop("score").gt(5)], label="answer")
        send_email(user, "hello" if came else "bye", subject=f"Score {came.properties['score']}" if came else None)

    story = play(answer)
    assert (story.waits_for.label, story.waits_for.event) == ("answer", "answered")
    story.does("answered", score=1)
    assert story.sent == []
    story.does("answered", score=9)

    assert [mail.subject for mail in story.mailbox] == ["Score 9"]
    ben = play(answer, Person("ben"))
    assert ben.after(days(3)).sent == ["bye"]


def test_the_mailbox_holds_what_was_sent():
    [mail] = play(trial(), Person("ben", email="ben@example.org")).mailbox

    assert (mail.email_id, mail.to, mail.category, mail.reason) == ("hello", "ben@example.org", "journey", "")
    assert mail.subject
    assert mail.text
    assert "<" in mail.html


def test_what_the_provider_took_counts_for_the_history():
    @journey(id="again", trigger="go")
    def again(user, ctx):
        send_email(user, "hello")
        ctx.sleep(hours(1))
        ctx.exit("had it" if ctx.history.email("hello").sent else "never got it")

    assert play(again).after(hours(1)).exit_reason == "had it"


def test_a_mail_that_was_not_sent_tells_why():
    story = play(trial()).unsubscribes("journey").after(days(5))

    assert story.sent == ["hello"]
    assert story.withheld == [("news", "category_opted_out"), ("bye", "category_opted_out")]
    assert play(trial(id="no-address"), Person("cleo", email=None)).withheld == [("hello", "no_address")]


@pytest.mark.parametrize(
    ("journey_options", "event", "reason"),
    [
        ({"where": [prop("plan").eq("pro")]}, {"plan": "free"}, "trigger_conditions_not_met"),
        ({"enabled": False}, {}, "journey_disabled"),
    ],
)
def test_who_does_not_enter_is_told_why(journey_options, event, reason):
    story = play(trial(**journey_options), event=event)

    assert (story.status, story.skipped, story.sent, story.waits_for) == ("skipped", reason, [], None)
    assert reason in repr(story)


def test_entering_again_is_a_story_of_the_same_person():
    story = play(trial(entry_limit="once_per_period", entry_period=days(7)))
    assert story.skipped is None
    story.after(days(5)).again()
    assert (story.skipped, story.status) == ("period_not_elapsed", "completed")

    story.after(days(2)).again()

    assert (story.skipped, story.status) == (None, "waiting")
    assert story.sent == ["hello", "news", "bye", "hello"]


def test_only_journeys_that_take_part_are_played():
    @journey(id="other", trigger="trial.started")
    def other(user, ctx):
        send_email(user, "news")

    play(trial())
    assert not JourneyRun.objects.filter(journey_id="other").exists()

    play("trial", Person("ben"), among=[other])
    assert JourneyRun.objects.filter(journey_id="other").count() == 1


def test_two_people_share_the_time():
    ada, ben = play(trial()), None
    ada.after(days(1))
    ben = play("trial", Person("ben"))

    ada.after(days(1))

    assert (ada.sent, ben.sent) == (["hello", "news"], ["hello"])


def test_a_test_begins_when_it_says_and_time_does_not_go_back():
    ada = Person(at="2026-03-06T09:00-05:00")
    story = play(trial(), ada).until("2026-03-09T00:00Z")

    assert story.sent == ["hello", "news"]
    assert abs(ada.now - datetime(2026, 3, 9, tzinfo=UTC)) < seconds(1)
    with pytest.raises(ValueError, match="It is 2026-03-09 00:00 already in this test; time does not go back"):
        Person("ben", at="2026-03-01T00:00Z")
    with pytest.raises(ValueError, match="add the zone, like 2026-03-06T09:00-05:00"):
        story.until("2026-04-01")
    with pytest.raises(ValueError, match="time passes only forward"):
        story.after(-days(1))


def test_an_error_of_the_journey_is_the_tests_error():
    @journey(id="broken", trigger="go")
    def broken(user, ctx):
        ctx.sleep(days(1))
        raise KeyError(user.properties["colour"])

    story = play(broken, event={"colour": "red"})

    with pytest.raises(JourneyFailedError, match=r"(?s)broken of ada: failed.*KeyError: 'red'"):
        story.after(days(1))
    assert story.status == "failed"


def test_a_replay_changes_nothing():
    story = play(trial())
    story.replay().after(days(2)).replay().after(days(3)).replay()

    assert story.sent == ["hello", "news", "bye"]
    assert story.status == "completed"


def test_a_replay_tells_what_another_code_would_do():
    moods = ["fair"]

    @journey(id="moody", trigger="go")
    def moody(user, ctx):
        send_email(user, "hello" if moods == ["fair"] else "bye")
        ctx.sleep(days(1))

    story = play(moody)
    moods.append("foul")

    with pytest.raises(ReplayDiffersError, match=r"It would send send:start:bye, though it sent send:start:hello"):
        story.replay()
    assert story.sent == ["hello"]
    assert play(trial(where=[prop("plan").eq("pro")]), Person("ben")).replay().status == "skipped"


def test_the_clock_of_the_database_comes_back():
    with connection.cursor() as cursor:
        cursor.execute("savepoint before")
        play(trial())
        assert database_now().year == 2026
        cursor.execute("rollback to savepoint before")

    assert abs(database_now() - datetime.now(UTC)) < minutes(5)


def test_a_journey_of_ninety_days_takes_less_than_a_tenth_of_a_second():
    @journey(id="long", trigger="go")
    def long(user, ctx):
        send_email(user, "hello")
        for week in range(12):
            ctx.sleep(days(7), label=f"week-{week + 1}")
        ctx.sleep(days(6), label="the-end")
        send_email(user, "bye")

    ada = Person()
    began = time.perf_counter()
    story = play(long, ada).after(days(90))
    took = time.perf_counter() - began

    assert story.sent == ["hello", "bye"]
    # Alone on a machine it is a third of that; a busy one may take its time.
    assert took < 1.0, f"{took:.3f} s"


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_nothing_is_played():
    with pytest.raises(NoTestDatabaseError, match=r"mark the test with pytest.mark.django_db"):
        play(trial())
