import pytest

from content import names
from content.journeys.referral_invite import referral_invite
from hogsend.authoring import days, hours
from journeys.testing import Person, play

pytestmark = pytest.mark.django_db


def busy(ago) -> Person:
    ada = Person()
    ada.does(names.SESSION_COMPLETED).after(ago)
    return ada


def test_who_is_busy_with_the_product_is_asked_two_hours_later():
    story = play(referral_invite, busy(days(20)))
    assert story.sent == []

    story.after(hours(2)).replay()

    assert (story.sent, story.status) == (["referral-invite"], "completed")


@pytest.mark.parametrize("person", [Person, lambda: busy(days(30))])
def test_who_is_not_is_let_be(person):
    story = play(referral_invite, person()).after(hours(2))

    assert (story.sent, story.exit_reason) == ([], "not busy with it")


def test_once_a_week_is_enough():
    story = play(referral_invite, busy(days(1))).after(days(6)).again()
    assert story.skipped == "period_not_elapsed"

    story.after(days(1)).again().after(hours(2))

    assert story.sent == ["referral-invite"] * 2


def test_who_leaves_is_not_asked():
    story = play(referral_invite, busy(days(1))).does(names.USER_DELETED).after(days(1))

    assert (story.sent, story.status) == ([], "exited")
