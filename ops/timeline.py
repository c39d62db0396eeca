"""One person's story over all apps, newest first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

# Each branch reads the rows of one contact by an index that begins with the contact.
STORY = """
    select * from (
        (select occurred_at, 'event', id::text, name, case when hop > 0 then 'by the engine' else '' end
         from events_event where contact_id = %(contact)s order by occurred_at desc limit %(limit)s)
        union all
        (select created_at, 'send', id::text, email_id, status || case when reason = '' then '' else ': ' || reason end
         from emails_emailsend where contact_id = %(contact)s order by created_at desc limit %(limit)s)
        union all
        (select created_at, 'run', id::text, journey_id, status
         from journeys_journeyrun where contact_id = %(contact)s order by created_at desc limit %(limit)s)
        union all
        (select created_at, 'skip', id::text, journey_id, reason
         from journeys_enrolmentskip where contact_id = %(contact)s order by created_at desc limit %(limit)s)
        union all
        (select created_at, 'consent', id::text, coalesce(category, 'all mail'),
                case when subscribed then 'joined' else 'left' end || ' by ' || door
         from preferences_consentchange where contact_id = %(contact)s order by created_at desc limit %(limit)s)
    ) story (at, kind, id, name, detail)
    order by at desc, id desc limit %(limit)s
"""
PAGES = {
    "event": "events_event",
    "send": "emails_emailsend",
    "run": "journeys_journeyrun",
    "skip": "journeys_enrolmentskip",
    "consent": "preferences_consentchange",
}
WORDS = {"event": "event", "send": "mail", "run": "entered", "skip": "did not enter", "consent": "consent"}


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that a person did or that was done for them."""

    at: datetime
    kind: str
    id: str
    name: str
    detail: str

    @property
    def word(self) -> str:
        """What kind of thing it is, for people."""
        return WORDS[self.kind]

    @property
    def page(self) -> str:
        """Which admin page tells more."""
        return f"admin:{PAGES[self.kind]}_change"


def story_of(contact_id: UUID, *, limit: int = 100) -> list[Happening]:
    """Return the newest ``limit`` happenings of a person: events, mails, journeys, refusals, consent."""
    with connection.cursor() as cursor:
        cursor.execute(STORY, {"contact": contact_id, "limit": limit})
        return [Happening(*row) for row in cursor.fetchall()]
