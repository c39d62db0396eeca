"""After an erasure no column of any table tells of the person; nobody else's row has changed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from contacts.actions import delete_contact, erase_contact, merge_contacts, undo_merge
from contacts.actions.address import change_address
from contacts.models import Contact, ContactKey, KeyConflict
from contacts.queries import contact_by_id
from emails.actions import SendRequest, queue_email
from emails.models import EmailSend, Origin, TrackedLink
from events.actions import emit_events
from events.definitions import NewEvent
from events.models import DeadLetter, Event, IdempotencyKey
from journeys.models import EnrolmentSkip, JourneyRun, JourneyStep, Wakeup
from preferences.models import ConsentChange, Preference, Suppression, Tombstone
from tests.people import ada, ben, person
from tracking.models import Hit

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS, FORMER = "erika.now@example.com", "erika.old@example.com"
WORDS = [ADDRESS, FORMER, "Erika-4711", "visit-erika-1", "visit-erika-2"]
COLUMNS = """
    select c.table_name, c.column_name
    from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where c.table_schema = current_schema and t.table_type = 'BASE TABLE'
      and c.data_type in ('text', 'character varying', 'character', 'json', 'jsonb', 'uuid', 'ARRAY')"""


def places_of(word: object) -> set[str]:
    """Every column of the database that holds a word, whatever its case."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        for table, column in cursor.fetchall():
            cursor.execute(
                f'select 1 from "{table}" where position(lower(%s) in lower("{column}"::text)) > 0 limit 1', [str(word)]
            )
            found |= {f"{table}.{column}"} if cursor.fetchone() else set()
    return found


def rows_of(contact: Contact) -> dict[str, list[str]]:
    """All rows that belong to somebody, as text, by table."""
    tables = {
        "contacts_contact": "id", "contacts_contactkey": "contact_id", "events_event": "contact_id",
        "emails_emailsend": "contact_id", "journeys_journeyrun": "contact_id", "preferences_consentchange": "contact_id",
    }  # fmt: skip
    found = {}
    with connection.cursor() as cursor:
        for table, column in tables.items():
            cursor.execute(f'select t::text from "{table}" t where "{column}" = %s order by 1', [contact.pk])
            found[table] = [row for (row,) in cursor.fetchall()]
    return found


def did(contact: Contact, name: str, **properties: object) -> Event:
    [event] = emit_events([NewEvent(contact.pk, name, properties)], now=NOW)
    return Event.objects.get(pk=event.id)


def guard(answer: object, key: str) -> IdempotencyKey:
    return IdempotencyKey.objects.create(
        scope="main:events", key=key, fingerprint=b"f" * 16, answer=answer, created_at=NOW
    )


def mail(contact: Contact, to: str, **more: object) -> EmailSend:
    given = {
        "origin": "journey", "origin_id": "welcome", "email_id": "welcome", "category": "journey", "status": "delivered",
        "from_email": "shop@example.com", "to_email": to, "subject": f"Hello {to}", "text": f"To {to}",
        "html": f"<p>{to}</p>", "headers": {"List-Unsubscribe": f"<mailto:out@shop.example?subject={to}>"},
        "reply_to": [to], "error": f"550 {to}", "idempotency_key": f"welcome:{contact.pk}:{to}", "send_after": NOW,
        "sent_at": NOW, "delivered_at": NOW, "created_at": NOW,
    }  # fmt: skip
    send = EmailSend.objects.create(contact=contact, **{**given, **more})
    link = TrackedLink.objects.create(send=send, url=f"https://shop.example/?who={to}", created_at=NOW)
    Hit.objects.create(send=send, link=link, kind="click", visitor="human", evidence={"who": to}, created_at=NOW)
    return send


def journey(contact: Contact, event: Event) -> None:
    run = JourneyRun.objects.create(
        contact=contact, journey_id="welcome", status="waiting", trigger_event=event, code_hash="a" * 64,
        context={"email": ADDRESS}, error=f"ValueError: {ADDRESS}", created_at=NOW, progressed_at=NOW,
    )  # fmt: skip
    JourneyStep.objects.create(
        run=run,
        seq=1,
        key=f"once:{ADDRESS}",
        kind="once",
        result={"to": ADDRESS, "id": str(contact.pk)},
        created_at=NOW,
    )
    Wakeup.objects.create(run=run, step_key=f"once:{ADDRESS}", reason="timer", due_at=NOW)
    EnrolmentSkip.objects.create(
        contact=contact, journey_id="welcome", event_id=event.id, reason="already_active", created_at=NOW
    )


def merged(survivor: Contact, absorbed: Contact):
    return merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor=f"staff: {ADDRESS}", now=NOW)


def noted(about: Contact, name: str) -> None:
    LogEntry.objects.create(
        user=User.objects.get_or_create(username="grace")[0],
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(about.pk),
        object_repr=name,
        action_flag=CHANGE,
        change_message=f"Changed {name}.",
    )


def erika() -> Contact:
    """Somebody of whom every table tells."""
    visitor = person(anonymous_id="visit-erika-2", city="Rome")
    did(visitor, "page.viewed", anonymous="visit-erika-2")
    known = person(user_id="Erika-4711", email=FORMER, plan="pro", **{"erika.old@example.com": FORMER})
    person(user_id="Erika-4711", anonymous_id="visit-erika-1")
    merged(known, visitor)
    change_address(contact_id=known.pk, email=ADDRESS, now=NOW)
    known.refresh_from_db()
    for number in range(3):
        event = did(known, "order.completed", email=ADDRESS, user="Erika-4711", at=[FORMER])
        guard(event.id, f"order-{number}:{ADDRESS.upper()}:Erika-4711")
    journey(known, event)
    guard(mail(known, ADDRESS).id, f"mail:{ADDRESS}")
    mail(known, FORMER, status="queued", idempotency_key=f"again:{FORMER}")
    Preference.objects.create(contact=known, unsubscribed_all=True, categories={"product-updates": False})
    ConsentChange.objects.create(contact=known, subscribed=False, door="page", created_at=NOW)
    Suppression.objects.create(email=ADDRESS, reason="bounce", suppressed_at=NOW)
    Suppression.objects.create(email=FORMER, reason="complaint", suppressed_at=NOW)
    noted(known, ADDRESS)
    return known


def mentions_by(other: Contact, erika: Contact) -> None:
    """Somebody else and the machine speak of erika, too."""
    did(other, "friend.invited", friend=ADDRESS.title(), friends=[{FORMER: str(erika.pk)}])
    mail(other, other.email or "", text=f"You invited {ADDRESS}.", html=f"<p>{ADDRESS.upper()}</p>")
    guard(did(other, "friend.asked").id, f"invite:{ADDRESS}")
    for one, two, kind, value in ((erika, other, "email", other.email), (other, erika, "external", "Erika-4711")):
        KeyConflict.objects.create(contact=one, other=two, kind=kind, value=value, first_seen_at=NOW, last_seen_at=NOW)
    undo_merge(merge_id=merged(other, erika).pk, actor="staff", now=NOW)
    DeadLetter.objects.create(
        source_id="shop", payload=f'{{"email": "{ADDRESS}", "old": "{FORMER}"}}', headers={"x-user": ADDRESS},
        error=f"{ADDRESS} is odd", trace=f"ValueError: {FORMER}", received_at=NOW,
    )  # fmt: skip


@pytest.fixture
def erased() -> list[object]:
    """What erika was called, after she and what others say of her are gone; ada is the other."""
    who, other = erika(), ada()
    mentions_by(other, who)
    words = [*WORDS, *{who.pk, *Contact.objects.filter(merged_into=who).values_list("pk", flat=True)}]
    assert len(words) == 7
    assert all(len(places_of(word)) > 1 for word in words), "the search itself must find her before"
    erase_contact(contact_id=who.pk, now=NOW)
    return words


def test_nothing_tells_of_an_erased_person(erased):
    assert {str(word): found for word in erased if (found := places_of(word))} == {}


def test_nobody_else_is_harmed(erased):
    other = contact_by_id(Contact.objects.get(external_id="ada").pk)
    assert other is not None
    assert set(ContactKey.objects.values_list("value", flat=True)) == {"ada", "ada@example.com"}
    assert set(Event.objects.values_list("name", flat=True)) >= {"friend.invited", "friend.asked"}
    assert EmailSend.objects.get().to_email == "ada@example.com"
    assert Event.objects.get(name="friend.invited").properties["friend"] == "[erased]"


def test_people_whose_addresses_look_alike_keep_theirs():
    who = person(email="ann@example.com")
    alike = [person(email=email) for email in ("joann@example.com", "ann@example.community", "o.ann@example.com")]
    for one in alike:
        did(one, "order.completed", email=one.email)
        mail(one, one.email or "")
        Suppression.objects.create(email=one.email, reason="bounce", suppressed_at=NOW)
    before = [rows_of(one) for one in alike]

    erase_contact(contact_id=who.pk, now=NOW)

    assert [rows_of(one) for one in alike] == before
    assert set(Suppression.objects.values_list("email", flat=True)) == {one.email for one in alike}


def test_a_user_id_in_a_delivery_that_became_no_event_goes():
    who = person(user_id="Erika-4711", email=ADDRESS)
    DeadLetter.objects.create(
        source_id="shop", payload='{"userId": "Erika-4711"}', headers={}, error="odd", received_at=NOW
    )
    erase_contact(contact_id=who.pk, now=NOW)
    assert places_of("Erika-4711") == set()


def test_the_name_of_somebody_without_an_address_goes_from_the_log_of_staff():
    who = person(user_id="Erika-4711")
    noted(who, "Erika-4711")
    erase_contact(contact_id=who.pk, now=NOW)
    assert places_of("Erika-4711") == set()


def test_who_was_deleted_before_and_came_back_is_erased_with_their_earlier_life():
    first = person(email=ADDRESS, plan="pro")
    did(first, "order.completed")
    delete_contact(contact_id=first.pk, now=NOW)
    again = person(email=ADDRESS)
    erase_contact(contact_id=again.pk, now=NOW)
    assert places_of(ADDRESS) == set()


def test_keys_of_others_that_differ_only_in_the_erased_address_do_not_stop_the_erasure():
    who, other = person(email=FORMER), ada()
    change_address(contact_id=who.pk, email=ADDRESS, now=NOW)
    for address in (FORMER, ADDRESS):
        guard(did(other, "friend.invited").id, f"invite:{address}")
    erase_contact(contact_id=who.pk, now=NOW)
    assert places_of(ADDRESS) == places_of(FORMER) == set()


def test_an_address_with_a_quote_is_found_where_it_is_escaped():
    address = "erika.o'now@example.com"
    who, other = person(email=address), ada()
    mail(other, "ada@example.com", html="<p>erika.o&#x27;now@example.com</p>", text=address)
    erase_contact(contact_id=who.pk, now=NOW)
    assert places_of(address) == places_of("erika.o&#x27;now@example.com") == set()


def test_an_address_in_a_link_is_found_where_it_is_encoded():
    who, other = person(email=ADDRESS), ada()
    send = mail(other, "ada@example.com")
    TrackedLink.objects.create(send=send, url="https://shop.example/?friend=erika.now%40example.com", created_at=NOW)
    erase_contact(contact_id=who.pk, now=NOW)
    assert places_of("erika.now%40example.com") == set()


def test_an_erasure_says_what_it_removed():
    who = erika()
    told = erase_contact(contact_id=who.pk, now=NOW)
    assert told is not None
    counted = {name: told.rows.get(name) for name in ("contacts.Contact", "contacts.ContactKey", "emails.EmailSend")}
    assert counted == {"contacts.Contact": 2, "contacts.ContactKey": 5, "emails.EmailSend": 2}
    assert told.rows["events.Event"] >= 4


def test_the_erasure_of_nobody_does_nothing():
    who = ben()
    erase_contact(contact_id=who.pk, now=NOW)
    assert erase_contact(contact_id=who.pk, now=NOW) is None


def test_an_erasure_by_an_absorbed_id_takes_the_survivor_with_it():
    who = erika()
    visitor = Contact.objects.get(merged_into=who)
    erase_contact(contact_id=visitor.pk, now=NOW)
    assert not Contact.objects.exists()


@pytest.mark.parametrize("kind", ["unsubscribed", "suppressed"])
def test_an_address_that_comes_back_is_not_mailed(kind):
    who = person(user_id="Erika-4711", email=ADDRESS)
    if kind == "unsubscribed":
        Preference.objects.create(contact=who, unsubscribed_all=True)
    else:
        Suppression.objects.create(email=ADDRESS, reason="bounce", suppressed_at=NOW)
    erase_contact(contact_id=who.pk, now=NOW)
    back = person(email=ADDRESS.upper())

    decision = queue_email(
        SendRequest(contact_id=back.pk, email_id="welcome", origin=Origin.API), now=NOW + timedelta(days=1)
    )

    assert Tombstone.objects.count() == 1
    assert (decision.status, decision.reason) == ("skipped", kind)


def test_an_address_that_comes_back_without_a_refusal_is_mailed():
    who = person(email=ADDRESS)
    erase_contact(contact_id=who.pk, now=NOW)
    back = person(email=ADDRESS)
    decision = queue_email(SendRequest(contact_id=back.pk, email_id="welcome", origin=Origin.API), now=NOW)
    assert decision.status == "queued"


def test_the_key_of_another_contact_and_the_account_of_staff_stay():
    User.objects.create(username=ADDRESS, email=ADDRESS)
    who, other = person(email=ADDRESS), person(user_id=ADDRESS)
    told = erase_contact(contact_id=who.pk, now=NOW)
    other.refresh_from_db()
    assert other.external_id == ADDRESS
    assert User.objects.get().username == ADDRESS
    assert told is not None
    assert told.mentions == 0


def test_a_long_user_id_in_the_event_of_another_goes_and_a_short_one_stays():
    did(ada(), "friend.invited", friend="Erika-4711", plan="pro")
    for name in ("Erika-4711", "pro"):
        erase_contact(contact_id=person(user_id=name).pk, now=NOW)
    assert Event.objects.get(name="friend.invited").properties == {"friend": "[erased]", "plan": "pro"}
