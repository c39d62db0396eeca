from itertools import accumulate

import pytest

from hogsend.embedded.restarts import Restart, after_death, describe_exit


def test_quick_deaths_in_a_row_wait_longer_up_to_ten_seconds() -> None:
    restarts = accumulate(range(6), lambda before, _: after_death(before.deaths, 0.1), initial=Restart(0, 0))
    assert [restart.delay for restart in restarts][1:] == [1, 2, 4, 8, 10, 10]


def test_a_child_that_lived_long_starts_with_a_clean_slate() -> None:
    assert after_death(7, lived_seconds=31) == Restart(deaths=1, delay=1)


def test_a_thousand_deaths_still_wait_ten_seconds() -> None:
    assert after_death(1000, lived_seconds=0).delay == 10


@pytest.mark.parametrize(("code", "words"), [(1, "exit code 1"), (0, "exit code 0"), (-9, "killed by signal 9")])
def test_an_exit_code_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
