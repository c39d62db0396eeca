"""What the database holds about the demo's people, beside what the file says it should."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from ops.demo.purchases import EVENT, Purchase

JOURNEY = "first-order"
EMAIL = "first-order"
EXAMPLES = 5
# Per person of the file: their contact's address, events, runs and accepted mails; people without a contact stay.
FOUND = """
    select p.user_id, c.email,
        coalesce(e.count, 0), coalesce(e.cds, 0), coalesce(e.dollars, 0),
        (select count(*) from journeys_journeyrun r where r.contact_id = c.id and r.journey_id = %(journey)s),
        (select count(*) from emails_emailsend s where s.contact_id = c.id and s.email_id = %(email)s
            and s.status in ('sent', 'delivered') and s.to_email = p.user_id || '@example.com')
    from unnest(%(people)s::text[]) as p (user_id)
    left join contacts_contact c on c.external_id = p.user_id and c.deleted_at is null
    left join (
        select contact_id, count(*),
            sum((properties->>'cds')::int) as cds, sum((properties->>'dollars')::numeric) as dollars
        from events_event where name = %(event)s group by contact_id
    ) e on e.contact_id = c.id
"""
BY_STATUS = """
    select 'runs', r.status, count(*) from journeys_journeyrun r join contacts_contact c on c.id = r.contact_id
    where c.external_id = any(%(people)s) group by 2
    union all
    select 'sends', s.status, count(*) from emails_emailsend s join contacts_contact c on c.id = s.contact_id
    where c.external_id = any(%(people)s) group by 2
    order by 1, 2
"""
QUIET = """
    select (select count(*) from journeys_journeyrun where status = 'active'),
           (select count(*) from journeys_wakeup where due_at <= now()),
           (select count(*) from emails_emailsend
            where status = 'sending' or (status = 'queued' and send_after <= now())),
           (select count(*) from emails_emailsend where status in ('sent', 'delivered'))
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Work that workers have yet to do, and the mails that are out."""

    active_runs: int
    due_wakeups: int
    waiting_mails: int
    sent: int

    @property
    def left(self) -> int:
        """How much is left to do; nought means quiet."""
        return self.active_runs + self.due_wakeups + self.waiting_mails


@dataclass(frozen=True, slots=True)
class Check:
    """One number, counted from the file and found in the database, with people for whom they differ."""

    what: str
    expected: Decimal
    found: Decimal
    differing: int = 0
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Equal in total and for each person."""
        return self.expected == self.found and self.differing == 0


def unfinished() -> Unfinished:
    """Count what the workers still have to do."""
    with connection.cursor() as cursor:
        cursor.execute(QUIET)
        return Unfinished(*(cursor.fetchone() or (0, 0, 0, 0)))


def by_status(purchases: Sequence[Purchase]) -> dict[str, dict[str, int]]:
    """Return the demo people's runs and sends by status."""
    found: dict[str, dict[str, int]] = {"runs": {}, "sends": {}}
    with connection.cursor() as cursor:
        cursor.execute(BY_STATUS, {"people": people_of(purchases)})
        for what, status, count in cursor.fetchall():
            found[what][status] = count
    return found


def checks(purchases: Sequence[Purchase]) -> list[Check]:
    """Compare file and database, person by person."""
    events = Counter(purchase.user_id for purchase in purchases)
    cds: Counter[str] = Counter()
    dollars: dict[str, Decimal] = dict.fromkeys(events, Decimal(0))
    for purchase in purchases:
        cds[purchase.user_id] += purchase.cds
        dollars[purchase.user_id] += purchase.dollars
    once = dict.fromkeys(events, 1)
    rows = _found(purchases)
    people = {person: int(row[0] == f"{person}@example.com") for person, row in rows.items()}
    return [
        compare("people with their address", once, people),
        compare(f"events {EVENT}", events, {person: row[1] for person, row in rows.items()}),
        compare("CDs bought", cds, {person: row[2] for person, row in rows.items()}),
        compare("dollars spent", dollars, {person: row[3] for person, row in rows.items()}),
        compare(f"runs of {JOURNEY}", once, {person: row[4] for person, row in rows.items()}),
        compare(f"mails {EMAIL} accepted", once, {person: row[5] for person, row in rows.items()}),
    ]


def _found(purchases: Sequence[Purchase]) -> dict[str, tuple[Any, ...]]:
    values: dict[str, Any] = {"people": people_of(purchases), "event": EVENT, "journey": JOURNEY, "email": EMAIL}
    with connection.cursor() as cursor:
        cursor.execute(FOUND, values)
        return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}


def people_of(purchases: Sequence[Purchase]) -> list[str]:
    """Return the user ids of those who bought."""
    return sorted({purchase.user_id for purchase in purchases})


def compare(what: str, expected: Any, found: Any) -> Check:
    """Compare a number of each person, as expected and as found; who is not found has nought."""
    differing = sorted(person for person in expected if expected[person] != found.get(person, 0))
    return Check(
        what=what,
        expected=sum((Decimal(count) for count in expected.values()), Decimal(0)),
        found=sum((Decimal(count) for count in found.values()), Decimal(0)),
        differing=len(differing),
        examples=tuple(
            f"{person}: {expected[person]} in the file, {found.get(person, 0)} found" for person in differing[:EXAMPLES]
        ),
    )
