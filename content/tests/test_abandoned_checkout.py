import pytest

from content import names
from content.journeys.abandoned_checkout import conversion_abandoned_checkout
from hogsend.authoring import days, hours
from journeys.testing import Person, play

pytestmark = pytest.mark.django_db

REMINDER, OFFER = "conversion-abandoned-checkout", "conversion-winback-offer"


def test_who_does_not_come_back_is_reminded_and_gets_an_offer():
    story = play(conversion_abandoned_checkout, event={"plan": "Team"})
    assert story.sent == []

    story.after(hours(2))
    assert story.sent == [REMINDER]
    assert "the Team plan" in story.mailbox[0].text

    story.after(days(1)).replay()
    assert (story.sent, story.status) == ([REMINDER, OFFER], "completed")


@pytest.mark.parametrize("end", [names.CHECKOUT_COMPLETED, names.SUBSCRIPTION_CREATED])
@pytest.mark.parametrize(("after", "sent"), [(hours(1), []), (hours(3), [REMINDER])])
def test_who_finishes_hears_no_more(end, after, sent):
    story = play(conversion_abandoned_checkout).after(after).does(end).after(days(3))

    assert (story.sent, story.status) == (sent, "exited")


def test_an_order_that_was_finished_just_before_counts():
    ada = Person()
    ada.does(names.CHECKOUT_COMPLETED)

    story = play(conversion_abandoned_checkout, ada).after(hours(2))

    assert (story.sent, story.exit_reason) == ([], "completed")


def test_an_order_of_last_week_does_not():
    ada = Person()
    ada.does(names.CHECKOUT_COMPLETED).after(days(7))

    assert play(conversion_abandoned_checkout, ada).after(days(2)).sent == [REMINDER, OFFER]


def test_every_three_days_is_enough():
    story = play(conversion_abandoned_checkout).after(days(2)).again()
    assert story.skipped == "period_not_elapsed"

    story.after(days(1)).again()

    assert story.skipped is None
