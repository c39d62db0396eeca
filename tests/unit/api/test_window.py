import pytest

from hogsend.api.window import Verdict, Window


@pytest.fixture
def window() -> Window:
    return Window()


def test_what_fits_passes_and_what_does_not_is_not_counted(window):
    verdicts = [window.take(4, limit=10, now=0.0) for _ in range(3)]
    assert verdicts == [Verdict(10, 6), Verdict(10, 2), Verdict(10, 2, 60.0)]
    assert window.take(2, limit=10, now=0.0) == Verdict(10, 0)


def test_a_refusal_says_when_exactly_there_is_room(window):
    for moment in (0.5, 10.0, 20.0):
        window.take(1, limit=3, now=moment)
    wait = window.take(1, limit=3, now=30.0).wait
    assert wait == 30.5
    assert window.take(1, limit=3, now=30.0 + wait - 0.001).wait > 0
    assert window.take(1, limit=3, now=30.0 + wait) == Verdict(3, 0)


def test_who_needs_more_room_waits_until_enough_of_the_oldest_has_left(window):
    for moment in (0.0, 10.0, 20.0):
        window.take(1, limit=3, now=moment)
    assert [window.take(cost, limit=3, now=30.0).wait for cost in (1, 2, 3, 4)] == [30.0, 40.0, 50.0, 50.0]


def test_no_minute_ever_holds_more_than_the_limit(window):
    passed = [moment / 8 for moment in range(2400) if not window.take(1, limit=50, now=moment / 8).wait]
    assert max(sum(start <= moment < start + 60 for moment in passed) for start in passed) == 50


def test_what_is_given_back_may_be_taken_again(window):
    window.take(3, limit=3, now=1.0)
    window.take(-1, limit=3, now=2.0)
    assert [window.take(1, limit=3, now=3.0).wait > 0 for _ in range(2)] == [False, True]


def test_nothing_is_given_back_that_was_never_taken(window):
    window.take(-5, limit=3, now=1.0)
    assert window.take(3, limit=3, now=1.0) == Verdict(3, 0)
    window.take(-5, limit=3, now=2.0)
    assert window.take(1, limit=3, now=2.0) == Verdict(3, 2)


@pytest.mark.parametrize(("wait", "seconds"), [(0.0, 0), (0.001, 1), (1.0, 1), (1.2, 2), (60.0, 60)])
def test_the_seconds_to_wait_are_whole_and_never_too_few(wait, seconds):
    assert Verdict(1, 0, wait).retry_after == seconds


def test_a_window_holds_a_minute_of_seconds_however_much_passes(window):
    for moment in range(100_000):
        window.take(1, limit=10**6, now=moment / 500)
    assert len(window._slots) <= 61
