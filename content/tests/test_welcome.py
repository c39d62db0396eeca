import pytest
from django.core.checks import run_checks

from content import names
from hogsend.authoring import days, hours
from journeys.definitions import registry


def test_who_does_not_get_going_is_nudged_and_then_invited(ada):
    ada.does(names.USER_CREATED)
    assert ada.mails == ["welcome"]

    ada.waits(days(2))
    assert ada.mails == ["welcome", "activation-nudge"]

    ada.waits(days(2))
    assert ada.mails == ["welcome", "activation-nudge", "activation-community"]
    assert ada.status("activation-welcome") == "completed"


def test_who_uses_a_feature_is_invited_without_a_nudge(ada):
    ada.does(names.USER_CREATED)
    ada.does(names.FEATURE_USED, feature="export")

    ada.waits(days(2))

    assert ada.mails == ["welcome", "activation-community"]
    assert ada.status("activation-welcome") == "completed"


def test_nothing_comes_early(ada):
    ada.does(names.USER_CREATED)

    ada.waits(days(2) - hours(1))

    assert ada.mails == ["welcome"]


def test_who_leaves_gets_no_more_mail(ada):
    ada.does(names.USER_CREATED)
    ada.does(names.USER_DELETED)

    ada.waits(days(30))

    assert ada.mails == ["welcome"]
    assert ada.status("activation-welcome") == "exited"


def test_nobody_is_welcomed_twice(ada):
    ada.does(names.USER_CREATED)
    ada.does(names.USER_CREATED)

    ada.waits(days(30))

    assert ada.mails.count("welcome") == 1


@pytest.mark.parametrize("journey_id", ["activation-welcome", "first-order"])
def test_the_journeys_are_found_and_have_nothing_to_complain_about(journey_id):
    assert journey_id in registry
    assert [message for message in run_checks() if message.id.startswith("journeys.")] == []
