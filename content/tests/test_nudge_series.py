import pytest

from content import names
from content.journeys.nudge_series import activation_nudge_series
from content.journeys.welcome import activation_welcome
from hogsend.authoring import days
from journeys.testing import Person, play

pytestmark = pytest.mark.django_db


def test_who_does_nothing_is_reminded_of_each_step():
    story = play(activation_nudge_series)
    assert story.sent == []
    assert story.after(days(2)).sent == ["activation-nudge"]
    assert story.after(days(1)).sent == ["activation-nudge", "activation-quickstart"]

    story.after(days(4)).replay()

    assert story.sent == ["activation-nudge", "activation-quickstart", "activation-community"]
    assert story.status == "completed"


@pytest.mark.parametrize(
    ("done", "sent"),
    [
        (names.FEATURE_USED, ["activation-quickstart", "activation-community"]),
        (names.SETUP_COMPLETED, ["activation-nudge", "activation-community"]),
        (
            names.VALUE_DELIVERED,
            ["activation-nudge", "activation-quickstart", "activation-feature-highlight", "activation-community"],
        ),
    ],
)
def test_what_somebody_has_done_decides_what_they_need(done, sent):
    story = play(activation_nudge_series).after(days(1)).does(done).after(days(6))

    assert story.sent == sent


def test_what_was_done_long_ago_does_not_spare_the_nudge():
    ada = Person()
    ada.does(names.FEATURE_USED).does(names.SETUP_COMPLETED).after(days(30))

    story = play(activation_nudge_series, ada).after(days(3))

    assert story.sent == ["activation-nudge", "activation-quickstart"]


@pytest.mark.parametrize("end", [names.USER_ACTIVATED, names.USER_DELETED])
def test_who_has_got_there_or_left_is_let_be(end):
    story = play(activation_nudge_series).after(days(2)).does(end).after(days(30))

    assert (story.sent, story.status, story.exit_reason) == (["activation-nudge"], "exited", end)


def test_who_is_welcomed_gets_no_mail_from_both_series():
    story = play(activation_nudge_series, among=[activation_welcome]).does(names.VALUE_DELIVERED).after(days(7))

    assert story.sent == ["activation-quickstart", "activation-feature-highlight"]
