from content import names
from content.buckets.power_users import power_users
from hogsend.authoring import days


def test_ten_times_within_a_month_make_a_power_user(ada):
    ada.does(names.KEY_ACTION, times=9)
    assert "ada" not in power_users

    ada.does(names.KEY_ACTION)
    assert "ada" in power_users


def test_who_slows_down_leaves(ada):
    ada.does(names.KEY_ACTION, times=10)
    ada.waits(days(20))
    ada.does(names.KEY_ACTION, times=3)
    assert "ada" in power_users

    ada.waits(days(10))

    assert "ada" not in power_users
    assert ada.did(power_users.left) == 1


def test_who_comes_back_within_a_week_is_in_again_and_not_announced_again(ada):
    ada.does(names.KEY_ACTION, times=10)
    ada.waits(days(30))
    ada.waits(days(6))

    ada.does(names.KEY_ACTION, times=10)

    assert "ada" in power_users
    assert ada.did(power_users.entered) == 1


def test_who_comes_back_after_a_week_is_announced_again(ada):
    ada.does(names.KEY_ACTION, times=10)
    ada.waits(days(30))
    ada.waits(days(7))

    ada.does(names.KEY_ACTION, times=10)

    assert ada.did(power_users.entered) == 2
