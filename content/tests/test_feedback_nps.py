import pytest

from content import names
from content.journeys.feedback_nps import feedback_nps
from hogsend.authoring import days
from journeys.testing import Person, play

pytestmark = pytest.mark.django_db


def test_people_are_asked_reminded_and_asked_again_after_two_months():
    story = play(feedback_nps).after(days(13))
    assert story.sent == []

    story.after(days(1))
    assert story.sent == ["feedback-nps-survey"]

    story.after(days(3))
    assert story.mailbox[1].subject == "One click is all we ask"

    story.after(days(46)).replay()
    assert story.sent == ["feedback-nps-survey"] * 3
    assert story.status == "completed"


def test_every_answer_has_a_link_of_its_own():
    [mail] = play(feedback_nps).after(days(14)).mailbox

    assert {f"https://example.com/nps?score={score}" for score in range(11)} <= set(mail.links)


@pytest.mark.parametrize("end", [names.NPS_SUBMITTED, names.USER_DELETED])
def test_who_answers_or_leaves_is_not_asked_again(end):
    story = play(feedback_nps).after(days(15)).does(end).after(days(60))

    assert (story.sent, story.exit_reason) == (["feedback-nps-survey"], end)


def test_who_has_answered_before_we_asked_is_asked_once():
    ada = Person()
    ada.does(names.NPS_SUBMITTED, score=9)

    story = play(feedback_nps, ada).after(days(63))

    assert (story.sent, story.status) == (["feedback-nps-survey"], "completed")
