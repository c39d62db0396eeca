import pytest

from content import names
from content.journeys.churn_prevention import churn_prevention
from hogsend.authoring import days
from journeys.testing import play

pytestmark = pytest.mark.django_db

NOTICE = "churn-payment-failed"


def test_who_does_not_pay_is_told_three_times_how_long_it_can_wait():
    story = play(churn_prevention, event={"amount": "49.00", "currency": "EUR"})
    assert story.sent == [NOTICE]
    assert story.after(days(1)).sent == [NOTICE] * 2

    first, second, third = story.after(days(2)).replay().mailbox

    assert "49.00 EUR" in first.text
    assert "2 more days" in second.text
    assert third.subject == "Your access ends tomorrow"
    assert story.status == "completed"


def test_it_is_no_mail_that_one_can_unsubscribe_from():
    story = play(churn_prevention).unsubscribes("journey").after(days(3))

    assert {mail.category for mail in story.mailbox} == {"transactional"}
    assert story.sent == [NOTICE] * 3


@pytest.mark.parametrize("end", [names.PAYMENT_SUCCEEDED, names.SUBSCRIPTION_CANCELLED, names.USER_DELETED])
@pytest.mark.parametrize(("after", "count"), [(days(0), 1), (days(2), 2)])
def test_who_pays_or_goes_hears_no_more(end, after, count):
    story = play(churn_prevention).after(after).does(end).after(days(10))

    assert (story.sent, story.exit_reason) == ([NOTICE] * count, end)


def test_a_second_try_within_a_week_is_the_same_trouble():
    story = play(churn_prevention).after(days(6)).again()
    assert story.skipped == "period_not_elapsed"

    story.after(days(1)).again()

    assert story.sent == [NOTICE] * 4
