"""The four buckets that follow what people order."""

from content import names
from content.buckets.about_to_lapse import about_to_lapse
from content.buckets.big_spenders import big_spenders
from content.buckets.dormant_customers import dormant_customers
from content.buckets.one_time_buyers import one_time_buyers
from hogsend.authoring import days


def buckets_of(person):
    buckets = (dormant_customers, about_to_lapse, big_spenders, one_time_buyers)
    return {bucket.id for bucket in buckets if person.key in bucket}


def test_one_order_is_followed_from_fresh_to_dormant(ada):
    ada.does(names.ORDER_COMPLETED)
    assert buckets_of(ada) == set()

    ada.waits(days(30))
    assert buckets_of(ada) == {"one-time-buyers"}

    ada.waits(days(30))
    assert buckets_of(ada) == {"one-time-buyers", "about-to-lapse"}

    ada.waits(days(30))
    assert buckets_of(ada) == {"one-time-buyers", "dormant-customers"}


def test_a_second_order_ends_all_that(ada):
    ada.does(names.ORDER_COMPLETED)
    ada.waits(days(100))

    ada.does(names.ORDER_COMPLETED)

    assert buckets_of(ada) == set()
    assert ada.did(dormant_customers.left) == 1


def test_five_orders_within_a_year_make_a_big_spender(ada):
    ada.does(names.ORDER_COMPLETED, times=4)
    ada.waits(days(300))
    assert "ada" not in big_spenders

    ada.does(names.ORDER_COMPLETED)
    assert "ada" in big_spenders


def test_a_big_spender_who_orders_less_leaves(ada):
    ada.does(names.ORDER_COMPLETED, times=4)
    ada.waits(days(300))
    ada.does(names.ORDER_COMPLETED)

    ada.waits(days(65))

    assert "ada" not in big_spenders
