import pytest

from content.buckets.trial_expiring_soon import trial_expiring_soon
from hogsend.authoring import days


def test_three_days_before_the_end_of_the_trial_people_join(ada):
    ada.becomes(plan="trial", trial_days_left=4)
    assert "ada" not in trial_expiring_soon

    ada.becomes(trial_days_left=3)
    assert "ada" in trial_expiring_soon


@pytest.mark.parametrize("change", [{"converted": True}, {"plan": "pro"}, {"trial_days_left": 14}])
def test_who_buys_or_gets_more_time_leaves(ada, change):
    ada.becomes(plan="trial", trial_days_left=2)

    ada.becomes(**change)

    assert "ada" not in trial_expiring_soon
    assert ada.did(trial_expiring_soon.left) == 1


def test_nobody_stays_longer_than_two_weeks(ada):
    ada.becomes(plan="trial", trial_days_left=0)

    ada.waits(days(13))
    assert "ada" in trial_expiring_soon

    ada.waits(days(1))
    assert "ada" not in trial_expiring_soon


def test_joining_is_announced_once_however_often_it_happens(ada):
    ada.becomes(plan="trial", trial_days_left=3)
    ada.becomes(trial_days_left=14)
    ada.becomes(trial_days_left=3)

    assert "ada" in trial_expiring_soon
    assert ada.did(trial_expiring_soon.entered) == 1
