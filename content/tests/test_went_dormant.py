from content import names
from content.buckets.went_dormant import went_dormant
from hogsend.authoring import days, hours


def test_a_week_without_activity_makes_somebody_dormant(ada):
    ada.does(names.APP_ACTIVE)

    ada.waits(days(7) - hours(1))
    assert "ada" not in went_dormant

    ada.waits(hours(1))
    assert "ada" in went_dormant


def test_who_was_never_active_is_not_dormant(ada):
    ada.waits(days(365))

    assert "ada" not in went_dormant


def test_who_comes_back_is_not_dormant_any_more(ada):
    ada.does(names.APP_ACTIVE)
    ada.waits(days(8))

    ada.does(names.APP_ACTIVE)

    assert "ada" not in went_dormant


def test_who_stays_away_for_a_month_more_gets_one_mail(ada):
    ada.does(names.APP_ACTIVE)
    ada.waits(days(7))
    ada.waits(days(29))
    assert ada.mails == []

    ada.waits(days(1))
    assert ada.mails == ["reactivation-final-nudge"]

    ada.waits(days(365))
    assert ada.mails == ["reactivation-final-nudge"]


def test_who_comes_back_in_time_gets_none(ada):
    ada.does(names.APP_ACTIVE)
    ada.waits(days(7))
    ada.waits(days(20))
    ada.does(names.APP_ACTIVE)

    ada.waits(days(6))
    ada.waits(days(10))

    assert ada.mails == []


def test_every_absence_counts_anew(ada):
    for _ in range(2):
        ada.does(names.APP_ACTIVE)
        ada.waits(days(7))
        ada.waits(days(30))

    assert ada.mails == ["reactivation-final-nudge"] * 2
