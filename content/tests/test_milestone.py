import pytest

from content import names
from content.journeys.milestone import retention_milestone
from hogsend.authoring import days
from journeys.testing import play

pytestmark = pytest.mark.django_db


def test_a_milestone_is_named_and_the_community_is_shown():
    story = play(retention_milestone, event={"milestone": "100 reports"}).after(days(1)).replay()

    assert story.sent == ["retention-achievement", "activation-community"]
    assert story.mailbox[0].subject == "You have reached 100 reports"
    assert story.status == "completed"


def test_every_milestone_counts():
    story = play(retention_milestone).after(days(1)).again().after(days(1))

    assert story.sent.count("retention-achievement") == 2


def test_who_leaves_hears_no_more():
    story = play(retention_milestone).does(names.USER_DELETED).after(days(1))

    assert (story.sent, story.status) == (["retention-achievement"], "exited")
