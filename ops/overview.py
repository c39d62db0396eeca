"""What the first page of the admin tells: how much, how well, and what needs a look."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

DAY = timedelta(hours=24)
# Ids begin with the millisecond of their making, so the primary key finds the last day without an index on time.
SENDS = "select status, count(*) from emails_emailsend where id >= %s group by 1"
EVENTS = "select name, count(*) from events_event where id >= %s group by 1 order by 2 desc, 1 limit 8"
RUNS = "select status, count(*) from journeys_journeyrun where status in ('active', 'waiting') group by 1"
ENDED = """
    select status, count(*) from journeys_journeyrun
    where id >= %s and status not in ('active', 'waiting') group by 1
"""
STUCK = """
    select (select count(*) from emails_emailsend where status = 'queued' and send_after < %(late)s),
           (select count(*) from journeys_wakeup where due_at < %(late)s)
"""
PEOPLE = "select reltuples::bigint from pg_class where oid = 'contacts_contact'::regclass"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The last 24 hours in numbers, and what stands now."""

    people: int
    live_runs: int
    ended_runs: dict[str, int]
    sends: dict[str, int]
    events: list[tuple[str, int]]
    late_mails: int
    late_wakeups: int

    @property
    def sent(self) -> int:
        """Mails that providers have accepted, whatever became of them."""
        return sum(self.sends.get(status, 0) for status in ("sent", "delivered", "bounced", "complained"))


def numbers(*, now: datetime) -> Numbers:
    """Count the last 24 hours; what is more than a minute late is counted apart."""
    since = _first_id(now - DAY)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE)
        people = cursor.fetchone()
        cursor.execute(STUCK, {"late": now - timedelta(minutes=1)})
        late = cursor.fetchone() or (0, 0)
    return Numbers(
        people=_people(max(0, people[0] if people else 0)),
        live_runs=sum(dict(_pairs(RUNS)).values()),
        ended_runs=dict(_pairs(ENDED, since)),
        sends=dict(_pairs(SENDS, since)),
        events=_pairs(EVENTS, since),
        late_mails=late[0],
        late_wakeups=late[1],
    )


def _people(estimate: int) -> int:
    if estimate > 100_000:  # noqa: PLR2004 - counting more would make the first page slow
        return estimate
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from contacts_contact where deleted_at is null")
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def _pairs(statement: str, *arguments: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return [(str(name), int(count)) for name, count in cursor.fetchall()]


def _first_id(moment: datetime) -> str:
    """Return the smallest version 7 UUID that could have been made at ``moment``."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
