import pytest

from content import names
from content.journeys.welcome import activation_welcome
from hogsend.authoring import days, hours
from journeys.testing import play

pytestmark = pytest.mark.django_db


def test_who_does_not_get_going_is_nudged_and_then_invited():
    story = play(activation_welcome)
    assert story.sent == ["welcome"]

    story.after(days(2))
    assert story.sent == ["welcome", "activation-nudge"]

    story.after(days(2)).replay()
    assert story.sent == ["welcome", "activation-nudge", "activation-community"]
    assert story.status == "completed"


def test_who_uses_a_feature_is_shown_more_instead():
    story = play(activation_welcome).does(names.FEATURE_USED, feature="export").after(days(4))

    assert story.sent == ["welcome", "activation-advanced", "activation-community"]


def test_nothing_comes_early():
    story = play(activation_welcome).after(days(2) - hours(1))

    assert story.sent == ["welcome"]
    assert story.waits_for.label == "settled-in"


def test_who_leaves_gets_no_more_mail():
    story = play(activation_welcome).does(names.USER_DELETED).after(days(30))

    assert (story.sent, story.status) == (["welcome"], "exited")


def test_nobody_is_welcomed_twice():
    story = play(activation_welcome).after(days(30)).again()

    assert story.skipped == "already_entered_once"
    assert story.sent.count("welcome") == 1


def test_the_first_mail_leads_to_the_workspace():
    [mail] = play(activation_welcome).mailbox

    assert mail.subject.startswith("Welcome to ")
    assert "https://example.com/start" in mail.links
