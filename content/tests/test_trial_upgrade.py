import pytest

from content import names
from content.journeys.trial_upgrade import conversion_trial_upgrade
from hogsend.authoring import days
from journeys.testing import Person, play

pytestmark = pytest.mark.django_db

ENDING = "conversion-trial-expiring"


def test_a_quiet_trial_hears_of_its_end_and_gets_an_offer():
    story = play(conversion_trial_upgrade).after(days(9))
    assert story.sent == []
    assert story.after(days(1)).sent == [ENDING]
    assert story.after(days(2)).sent == [ENDING, ENDING]

    story.after(days(2)).replay()

    assert story.sent == [ENDING, ENDING, "conversion-winback-offer"]
    assert story.status == "completed"
    assert [mail.subject for mail in story.mailbox] == [
        "3 days left in your trial",
        "Your trial ends tomorrow",
        "20 % off, if you want to come back",
    ]


def test_a_busy_trial_is_told_how_far_it_has_come():
    story = play(conversion_trial_upgrade).does(names.USAGE_MILESTONE_REACHED).after(days(3))

    assert story.sent == ["conversion-usage-milestone"]


def test_who_tried_what_is_not_free_is_told_more_of_it():
    story = play(conversion_trial_upgrade).does(names.PAID_FEATURE_ATTEMPTED, feature="export").after(days(7))

    assert story.sent == ["activation-feature-highlight"]
    assert "while your trial lasts it is open to you" in " ".join(story.mailbox[0].text.split())


@pytest.mark.parametrize("end", [names.SUBSCRIPTION_CREATED, names.USER_DELETED])
def test_who_decides_hears_no_more(end):
    story = play(conversion_trial_upgrade).after(days(11)).does(end).after(days(30))

    assert (story.sent, story.exit_reason) == ([ENDING], end)


def test_who_has_subscribed_before_gets_no_offer():
    ada = Person()
    ada.does(names.SUBSCRIPTION_CREATED)

    assert play(conversion_trial_upgrade, ada).after(days(14)).sent == [ENDING, ENDING]
