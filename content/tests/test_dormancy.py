import pytest

from content import names
from content.buckets.went_dormant import went_dormant
from content.journeys.dormancy import reactivation_dormancy
from hogsend.authoring import days
from journeys.testing import play

pytestmark = pytest.mark.django_db

CHECKIN, OFFER, LAST = "reactivation-checkin", "conversion-winback-offer", "reactivation-final-nudge"


def test_who_stays_away_gets_four_mails_and_is_then_let_be():
    story = play(reactivation_dormancy)
    assert story.sent == [CHECKIN]
    assert story.after(days(7)).sent == [CHECKIN, CHECKIN]
    assert story.after(days(9)).sent == [CHECKIN, CHECKIN, OFFER]
    assert names.USER_SUPPRESSED not in story.events

    story.after(days(15)).replay()

    assert story.sent == [CHECKIN, CHECKIN, OFFER, LAST]
    assert story.events.count(names.USER_SUPPRESSED) == 1
    assert story.status == "completed"


def test_the_two_check_ins_differ():
    first, second = play(reactivation_dormancy).after(days(7)).mailbox

    assert "for 14 days" in first.text
    assert "for 21 days" in second.text
    assert first.subject != second.subject


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"plan": "paid"}, "We would like to keep you"),
        ({"plan": "free"}, "Shall we try again?"),
        ({}, "Shall we try again?"),
    ],
)
def test_the_offer_speaks_otherwise_to_who_pays(event, words):
    offer = play(reactivation_dormancy, event=event).after(days(16)).mailbox[-1]

    assert words in offer.html


@pytest.mark.parametrize("end", [names.SESSION_COMPLETED, names.FEATURE_USED, names.USER_DELETED, went_dormant.left])
def test_who_comes_back_or_leaves_hears_no_more(end):
    story = play(reactivation_dormancy).after(days(1)).does(end).after(days(60))

    assert (story.sent, story.exit_reason) == ([CHECKIN], end)


def test_two_months_lie_between_two_such_series():
    story = play(reactivation_dormancy).after(days(59)).again()
    assert story.skipped == "period_not_elapsed"

    story.after(days(1)).again()

    assert story.skipped is None
