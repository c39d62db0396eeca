"""Who is in which of the shop's buckets, reckoned in plain Python straight from the file of purchases."""

import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE = Path(__file__).parents[2] / "content" / "data" / "cdnow_master.txt.gz"
NOON = timedelta(hours=12)

Purchases = Mapping[str, Sequence[datetime]]


def read(*, every: int) -> Purchases:
    """Return when people bought: of every so many-th customer of the file, whose days begin at noon."""
    bought: dict[str, list[datetime]] = defaultdict(list)
    with gzip.open(FILE, "rt", encoding="ascii") as file:
        for line in file.read().splitlines():
            customer, day, *_ = line.split()
            if not customer.isdigit() or int(customer) % every:
                continue
            noon = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + NOON
            same_day = sum(moment.date() == noon.date() for moment in bought[customer])
            bought[customer].append(noon + timedelta(minutes=same_day))
    return {customer: sorted(moments) for customer, moments in bought.items()}


def until(purchases: Purchases, now: datetime) -> Purchases:
    """Leave out what has not happened yet."""
    return {who: [moment for moment in moments if moment <= now] for who, moments in purchases.items()}


def members(purchases: Purchases, now: datetime) -> dict[str, set[str]]:
    """Return the members of each bucket at ``now``, if these purchases are known, those dated ahead among them."""
    inside: dict[str, set[str]] = {
        "dormant-customers": set(),
        "about-to-lapse": set(),
        "big-spenders": set(),
        "one-time-buyers": set(),
    }
    for who, moments in purchases.items():
        if not moments:
            continue
        quiet_for = now - max(moments)
        if quiet_for > timedelta(days=90):
            inside["dormant-customers"].add(who)
        elif quiet_for > timedelta(days=60):
            inside["about-to-lapse"].add(who)
        if sum(now - moment <= timedelta(days=365) for moment in moments) >= 5:
            inside["big-spenders"].add(who)
        if len(moments) == 1 and quiet_for > timedelta(days=30):
            inside["one-time-buyers"].add(who)
    return inside
