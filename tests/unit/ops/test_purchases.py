import gzip
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from ops.demo.purchases import DataError, Purchase, batches, read_purchases

SHIPPED = settings.BASE_DIR / "content" / "data" / "cdnow_master.txt.gz"
LINES = """ customer_id  date number_of_cds  dollar_value
 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00003 19970102  2   20.76
 00003 19970330  2   20.76
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "purchases.txt.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    return path


def test_the_shipped_file_is_the_whole_data_set() -> None:
    purchases = read_purchases(SHIPPED)

    assert len(purchases) == 69_659
    assert len({purchase.customer for purchase in purchases}) == 23_570
    assert sum(purchase.cds for purchase in purchases) == 167_881
    assert sum(purchase.dollars for purchase in purchases) == Decimal("2500315.63")
    assert len({purchase.body["idempotencyKey"] for purchase in purchases}) == 69_659


def test_a_line_is_always_the_same_event(file: Path) -> None:
    first, again = read_purchases(file), read_purchases(file)

    assert [purchase.body for purchase in first] == [purchase.body for purchase in again]
    assert {key: value for key, value in first[0].body.items() if key != "timestamp"} == {
        "name": "order.completed",
        "userId": "cdnow-00001",
        "email": "cdnow-00001@example.com",
        "eventProperties": {"cds": 1, "dollars": 11.77},
        "idempotencyKey": "cdnow:2",
    }
    assert first[0].body["timestamp"].startswith("1997-01-01T")


def test_purchases_come_in_the_order_of_time_and_two_of_one_day_in_that_of_the_file(file: Path) -> None:
    purchases = read_purchases(file)

    assert [purchase.number for purchase in purchases] == [2, 5, 3, 4, 6]


def test_a_limit_counts_people(file: Path) -> None:
    assert [purchase.customer for purchase in read_purchases(file, customers=2)] == ["00001", "00002", "00002"]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "purchases.txt.gz"
    path.write_bytes(gzip.compress(b" 00001 19970101 1 11.77\n 00002 19970112 one 12.00\n"))

    with pytest.raises(DataError, match="Line 2"):
        read_purchases(path)


def test_everybody_stays_in_one_lane_and_in_order() -> None:
    purchases = read_purchases(SHIPPED, customers=500)

    lanes = batches(purchases, size=100, lanes=3)

    homes = defaultdict(set)
    seen: dict[str, list[Purchase]] = defaultdict(list)
    for place, lane in enumerate(lanes):
        assert all(len(batch) == 100 for batch in lane[:-1])
        for purchase in (one for batch in lane for one in batch):
            homes[purchase.customer].add(place)
            seen[purchase.customer].append(purchase)
    assert sum(len(batch) for lane in lanes for batch in lane) == len(purchases)
    assert all(len(home) == 1 for home in homes.values())
    assert all(theirs == sorted(theirs, key=lambda one: one.at) for theirs in seen.values())
    assert all(lanes)
