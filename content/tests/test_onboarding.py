import pytest

from content import names
from content.journeys.onboarding import onboarding
from journeys.testing import play

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"plan": "pro"}, names.JOURNEY_PRO_PATH),
        ({"plan": "free"}, names.JOURNEY_FREE_PATH),
        ({}, names.JOURNEY_FREE_PATH),
    ],
)
def test_what_goes_in_comes_out_by_its_path(event, path):
    story = play(onboarding, event=event).replay()

    ours = [name for name in story.events if name.startswith("journey.")]
    assert ours == [names.JOURNEY_WELCOME_FIRED, path, names.JOURNEY_COMPLETED]
    assert (story.sent, story.status) == ([], "completed")


def test_it_may_be_tried_again():
    story = play(onboarding).again()

    assert story.skipped is None
    assert story.events.count(names.JOURNEY_COMPLETED) == 2
