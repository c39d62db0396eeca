"""Where lines and bars lie."""

from datetime import date, timedelta

import pytest

from buckets.chart import chart, scale, short, spark
from buckets.history import Point

FIRST = date(2026, 3, 1)


def days(*moves: tuple[int, int, int]) -> list[Point]:
    """One day after the other: joined, left, size."""
    return [Point(FIRST + timedelta(days=place), *move) for place, move in enumerate(moves)]


@pytest.mark.parametrize(
    ("low", "high", "axis"),
    [
        (0, 0, (0, 1, 1)),
        (0, 1, (0, 1, 1)),
        (0, 10, (0, 10, 5)),
        (0, 601, (0, 1000, 500)),
        (640, 700, (640, 700, 20)),
        (5, 5, (5, 6, 1)),
        (0, 1_000_000, (0, 1_000_000, 500_000)),
    ],
)
def test_an_axis_has_round_numbers_that_hold_all_values(low, high, axis):
    assert scale(low, high) == axis


@pytest.mark.parametrize("high", [*range(200), 999, 1000, 1001, 123_456, 10**9])
def test_no_value_lies_beyond_an_axis(high):
    bottom, top, step = scale(0, high)
    assert bottom <= 0 <= high <= top
    assert (top - bottom) % step == 0
    assert (top - bottom) // step <= 4


def test_numbers_beside_an_axis_are_short():
    assert [short(number) for number in (0, 950, 1200, 9999, 10_000, 12_500, 999_999, 1_000_000, 2_540_000)] == [
        "0", "950", "1,200", "9,999", "10k", "12.5k", "1M", "1M", "2.5M",
    ]  # fmt: skip


def test_the_size_is_a_line_through_the_middle_of_the_days():
    drawn = chart(days((0, 0, 0), (10, 0, 10)))
    assert drawn.line == "M25 100L75 0"
    assert [tick.label for tick in drawn.sizes] == ["0", "5", "10"]
    assert [tick.at for tick in drawn.sizes] == ["100", "50", "0"]


def test_sizes_that_hardly_change_are_seen_to_change():
    drawn = chart(days((0, 0, 1000), (10, 0, 1010)))
    assert [tick.label for tick in drawn.sizes] == ["1,000", "1,005", "1,010"]


def test_who_joined_stands_above_the_line_and_who_left_hangs_below_it_in_one_measure():
    drawn = chart(days((10, 0, 10), (0, 10, 0)))
    joined, left = drawn.bars
    assert drawn.zero == "50"
    assert (joined.joined_y, joined.joined_height, joined.left_height) == ("0", "50", "0")
    assert (left.joined_height, left.left_y, left.left_height) == ("0", "50", "50")
    assert [tick.label for tick in drawn.moves] == ["10", "0", "10"]


def test_the_first_day_of_a_backfill_is_cut_so_that_the_others_can_be_seen():
    drawn = chart(days((5000, 0, 5000), *((10, 10, 5000),) * 9))
    first, second = drawn.bars[:2]
    assert (first.is_cut, second.is_cut, drawn.has_cut) == (True, False, True)
    assert float(second.joined_height) > 20
    assert drawn.slots[0].label == "Sun 1 March 2026: 5,000 in; 5,000 joined, 0 left"


def test_days_on_which_nobody_moved_have_no_bars():
    drawn = chart(days(*((0, 0, 7),) * 3))
    assert {(bar.joined_height, bar.left_height) for bar in drawn.bars} == {("0", "0")}
    assert drawn.moves == ()


def test_one_day_alone_can_be_drawn():
    drawn = chart(days((1, 0, 1)))
    assert drawn.line == "M0 0H100"
    assert [tick.label for tick in drawn.dates] == ["1 Mar"]
    assert spark([3]) == "M0 50H100"


def test_the_dates_are_few_and_begin_and_end_with_the_days():
    drawn = chart(days(*((1, 0, 1),) * 90))
    assert [tick.label for tick in drawn.dates] == ["1 Mar", "23 Mar", "14 Apr", "7 May", "29 May"]


def test_a_small_line_goes_from_its_smallest_to_its_largest():
    assert spark([1, 2, 3]) == "M16.67 92L50 50L83.33 8"
    assert spark([4, 4]) == "M25 50L75 50"
