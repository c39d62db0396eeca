"""Who is in the buckets that follow purchases, beside who plain Python says should be."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from buckets.definitions import index
from conditions.tree import quoted
from ops.demo.findings import Check, compare, people_of
from ops.demo.purchases import Purchase

NEWEST = 3
Rule = Callable[[Sequence[datetime], datetime], bool]
# The buckets in our own words: from the moments of somebody's purchases, of which there is at least one.
RULES: Final[Mapping[str, Rule]] = {
    "dormant-customers": lambda moments, now: now - max(moments) > timedelta(days=90),
    "about-to-lapse": lambda moments, now: timedelta(days=60) < now - max(moments) <= timedelta(days=90),
    "big-spenders": lambda moments, now: sum(now - moment <= timedelta(days=365) for moment in moments) >= 5,  # noqa: PLR2004
    "one-time-buyers": lambda moments, now: len(moments) == 1 and now - moments[0] > timedelta(days=30),
}
INSIDE = """
    select m.bucket_id, c.external_id
    from buckets_bucketmembership m join contacts_contact c on c.id = m.contact_id
    where m.bucket_id = any(%s) and m.status = 'active' and c.external_id = any(%s) and c.deleted_at is null"""
MOVES = """
    select b.id, coalesce(stays.inside, 0), coalesce(stays.joined, 0), coalesce(stays.gone, 0),
           coalesce(stays.newest, '{}')
    from unnest(%s::text[]) with ordinality b(id, place)
    left join (
        select m.bucket_id, count(*) filter (where m.status = 'active') as inside, count(*) as joined,
               count(*) filter (where m.status = 'left') as gone,
               (array_agg(c.external_id order by m.entered_at desc, m.id desc)
                filter (where m.status = 'active'))[:%s] as newest
        from buckets_bucketmembership m join contacts_contact c on c.id = m.contact_id
        where c.external_id = any(%s) and c.deleted_at is null group by m.bucket_id
    ) stays on stays.bucket_id = b.id
    order by b.place"""


def bucket_checks(purchases: Sequence[Purchase], *, now: datetime) -> list[Check]:
    """Compare, person by person, who is in each bucket, and whom it would hold on the day after the last purchase."""
    moments: dict[str, list[datetime]] = defaultdict(list)
    for purchase in purchases:
        moments[purchase.user_id].append(purchase.at)
    people = people_of(purchases)
    inside = _inside(people)
    then = max(purchase.at for purchase in purchases) + timedelta(days=1)
    checks = [
        compare(f"in {bucket_id}", _expected(rule, moments, now), dict.fromkeys(inside[bucket_id], 1))
        for bucket_id, rule in RULES.items()
    ]
    return checks + [
        compare(f"{bucket_id} on {then:%Y-%m-%d}", _expected(rule, moments, then), _seen_from(then, bucket_id, people))
        for bucket_id, rule in RULES.items()
    ]


def bucket_moves(purchases: Sequence[Purchase]) -> dict[str, dict[str, Any]]:
    """Return for each bucket how many are in, how often people joined and left, and who of them joined last."""
    with connection.cursor() as cursor:
        cursor.execute(MOVES, [list(RULES), NEWEST, people_of(purchases)])
        return {
            bucket_id: {"size": size, "joined": joined, "left": left, "newest": newest}
            for bucket_id, size, joined, left, newest in cursor.fetchall()
        }


def _expected(rule: Rule, moments: Mapping[str, Sequence[datetime]], now: datetime) -> dict[str, int]:
    return {person: int(rule(theirs, now)) for person, theirs in moments.items()}


def _inside(people: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(INSIDE, [list(RULES), people])
        for bucket_id, person in cursor.fetchall():
            found[bucket_id].append(person)
    return found


def _seen_from(moment: datetime, bucket_id: str, people: list[str]) -> dict[str, int]:
    """Ask the criteria of a bucket who belonged into it at a moment of the past."""
    bucket = index().by_id.get(bucket_id)
    if bucket is None:
        return {}
    criteria = bucket.belongs.sql(f"{quoted(moment.isoformat())}::timestamptz").replace("%", "%%")
    sql = f"""
        select c.external_id from contacts_contact c
        where c.external_id = any(%s) and c.deleted_at is null and ({criteria})"""  # noqa: S608 - quoted
    with connection.cursor() as cursor:
        cursor.execute(sql, [people])
        return dict.fromkeys((row[0] for row in cursor.fetchall()), 1)
