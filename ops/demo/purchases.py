"""The CDNOW purchases (content/data/README.md) as events of our API."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

EVENT = "order.completed"
OPENS = timedelta(hours=8)
OPEN_SECONDS = 12 * 3600


class DataError(ValueError):
    """The file is not the data set; the message says which line."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file. ``number`` is its line and makes it unique."""

    number: int
    customer: str
    at: datetime
    cds: int
    dollars: Decimal

    @property
    def user_id(self) -> str:
        """The id under which the customer comes to us."""
        return f"cdnow-{self.customer}"

    @property
    def email(self) -> str:
        """A made-up address, one per customer."""
        return f"{self.user_id}@example.com"

    @property
    def body(self) -> dict[str, Any]:
        """The event as the API takes it; always the same for the same line."""
        return {
            "name": EVENT,
            "userId": self.user_id,
            "email": self.email,
            "eventProperties": {"cds": self.cds, "dollars": float(self.dollars)},
            "timestamp": f"{self.at:%Y-%m-%dT%H:%M:%S}Z",
            "idempotencyKey": f"cdnow:{self.number}",
        }


def read_purchases(path: Path, *, customers: int | None = None) -> list[Purchase]:
    """Return the purchases in the order of time, of everybody or of the first ``customers`` people of the file.

    Raises DataError for a line that is not four values.
    """
    with gzip.open(path, "rt", encoding="ascii") as file:
        lines = file.read().splitlines()
    chosen = list(_limited(_parsed(lines), customers))
    return sorted(chosen, key=lambda purchase: (purchase.at, purchase.number))


def batches(purchases: Sequence[Purchase], *, size: int, lanes: int) -> list[list[list[Purchase]]]:
    """Deal the purchases to ``lanes``, each a list of batches: a person stays in one lane, so their order holds."""
    dealt: list[list[Purchase]] = [[] for _ in range(lanes)]
    for purchase in purchases:
        dealt[zlib.crc32(purchase.customer.encode()) % lanes].append(purchase)
    return [[lane[start : start + size] for start in range(0, len(lane), size)] for lane in dealt]


def _parsed(lines: Sequence[str]) -> Iterator[Purchase]:
    seen_on_day: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines, start=1):
        if number == 1 and "customer_id" in line:
            continue
        try:
            customer, day, cds, dollars = line.split()
            nth = seen_on_day[customer, day] = seen_on_day.get((customer, day), -1) + 1
            yield Purchase(number, customer, _moment(customer, day, nth), int(cds), Decimal(dollars))
        except (ValueError, ArithmeticError) as error:
            raise DataError(f"Line {number} is not `customer date cds dollars`: {line!r}.") from error


def _limited(purchases: Iterator[Purchase], customers: int | None) -> Iterator[Purchase]:
    people: set[str] = set()
    for purchase in purchases:
        people.add(purchase.customer)
        if customers is not None and len(people) > customers:
            return
        yield purchase


def _moment(customer: str, day: str, nth: int) -> datetime:
    """The file knows days only: give each customer and day a time of day, and later purchases of it a later one."""
    opened = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + OPENS
    return opened + timedelta(seconds=zlib.crc32(f"{customer}:{day}".encode()) % OPEN_SECONDS, minutes=nth)
