from datetime import time

import pytest

from hogsend.lib.localtime import Window, window_named, zone_or_none


@pytest.mark.parametrize(
    "value", [None, 7, "", " ", "Nowhere", "Europe", "../UTC", "/etc/localtime", "Factory", [], b"UTC"]
)
def test_asking_for_a_zone_never_raises(value: object):
    assert zone_or_none(value) is None


@pytest.mark.parametrize(
    ("text", "name"), [("UTC", "UTC"), (" us/eastern ", "US/Eastern"), ("Asia/Tokyo", "Asia/Tokyo")]
)
def test_a_zone_is_found_by_its_name(text: str, name: str):
    zone = zone_or_none(text)
    assert zone is not None
    assert zone.key == name


def test_a_window_is_written_as_its_start_and_its_end():
    assert window_named(" 9:00 - 20:00 ") == Window(time(9), time(20))


@pytest.mark.parametrize("text", ["", "09:00", "09:00-", "09:00-20:00-21:00", "9-20"])
def test_what_is_no_window_is_refused(text: str):
    with pytest.raises(TypeError, match="give"):
        window_named(text)
