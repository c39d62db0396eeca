import pytest

from lists.rules import is_subscribed


@pytest.mark.parametrize(
    ("chosen", "default_opt_in", "expected"),
    [
        ({}, True, True),
        ({"beta": True}, True, True),
        ({"beta": False}, True, False),
        ({}, False, False),
        ({"beta": True}, False, True),
        ({"beta": False}, False, False),
        ({"other": True}, False, False),
        ({"other": False}, True, True),
        ({"beta": "true"}, False, False),
        ({"beta": 1}, False, False),
        ({"beta": 0}, True, True),
    ],
)
def test_everybody_is_in_until_no_or_out_until_yes(chosen, default_opt_in, expected):
    assert is_subscribed(chosen, "beta", default_opt_in=default_opt_in) is expected
