"""People with a story each: events, runs, mails, hits, consent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from buckets.models import BucketConfig, BucketMembership
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict, KeyKind
from emails.models import EmailSend, TrackedLink
from events.models import DeadLetter, Event, WebhookSkip
from hogsend.api.models import ApiKey
from journeys.models import EnrolmentSkip, JourneyOverride, JourneyRun, JourneyStep, Wakeup
from preferences.models import ConsentChange, Preference, Suppression, Tombstone
from tracking.models import Hit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HTML = (
    "<html><body><h1>Thanks &amp; hello</h1><script>document.title='owned'</script>"
    '<a href="http://127.0.0.1/v1/t/c/1">Order</a><img src="http://127.0.0.1/v1/t/o/1" width="1"></body></html>'
)


def contact(number: int) -> Contact:
    """Somebody with properties."""
    key = f"u{number}"
    return Contact(
        external_id=key, email=f"{key}@example.com", properties={"plan": "pro"}, first_seen_at=NOW, last_seen_at=NOW
    )


def keys(person: Contact) -> list[ContactKey]:
    """The two keys of somebody."""
    return [
        ContactKey(kind=KeyKind.EXTERNAL, value=person.external_id, contact=person),
        ContactKey(kind=KeyKind.EMAIL, value=person.email, contact=person),
    ]


def run(person: Contact, event: Event) -> JourneyRun:
    """A run that sleeps."""
    return JourneyRun(
        contact=person,
        journey_id="first-order",
        status="waiting",
        trigger_event=event,
        code_hash="a" * 64,
        created_at=NOW,
        progressed_at=NOW,
    )


def mail(of: JourneyRun) -> EmailSend:
    """The mail that a run has sent."""
    return EmailSend(
        contact=of.contact,
        run_id=of.id,
        origin="journey",
        origin_id=of.journey_id,
        email_id="first-order",
        category="journey",
        status="sent",
        from_email="shop@example.com",
        to_email=of.contact.email or "",
        subject="Thanks",
        html=HTML,
        text="Thanks",
        headers={"List-Unsubscribe": "<https://example.com/u>"},
        send_after=NOW,
        sent_at=NOW,
        created_at=NOW,
    )


def tell(first: int, count: int) -> list[JourneyRun]:
    """Give so many new people one row in every table that the admin shows."""
    numbers = range(first, first + count)
    people = Contact.objects.bulk_create(contact(number) for number in numbers)
    others = Contact.objects.bulk_create(contact(number + 100_000) for number in numbers)
    ContactKey.objects.bulk_create(key for person in [*people, *others] for key in keys(person))
    events = Event.objects.bulk_create(
        Event(contact=person, name="order.completed", occurred_at=NOW, received_at=NOW) for person in people
    )
    runs = JourneyRun.objects.bulk_create(run(event.contact, event) for event in events)
    sends = EmailSend.objects.bulk_create(mail(one) for one in runs)
    _journals(runs)
    _consent(people, sends, first)
    _doubts(people, others, first)
    _deliveries(numbers)
    _buckets(people, numbers)
    links = TrackedLink.objects.bulk_create(
        TrackedLink(send=send, url="https://example.com/orders", created_at=NOW) for send in sends
    )
    Hit.objects.bulk_create(
        Hit(send=link.send, link=link, kind="click", visitor="human", evidence={"late": True}, created_at=NOW)
        for link in links
    )
    ApiKey.objects.bulk_create(
        ApiKey(name=f"shop {number}", prefix="hsk_abcd", key_hash=f"{number:064x}", scopes=["ingest"])
        for number in numbers
    )
    return runs


def _journals(runs: list[JourneyRun]) -> None:
    key, wakes = "sleep:enjoying-it", NOW + timedelta(days=14)
    JourneyOverride.objects.get_or_create(journey_id="first-order")
    JourneyStep.objects.bulk_create(
        JourneyStep(run=one, seq=1, key=key, kind="sleep", status="pending", deadline=wakes, created_at=NOW)
        for one in runs
    )
    Wakeup.objects.bulk_create(Wakeup(run=one, step_key=key, reason="timer", due_at=wakes) for one in runs)
    EnrolmentSkip.objects.bulk_create(
        EnrolmentSkip(
            contact=one.contact,
            journey_id="welcome",
            event_id=one.trigger_event_id,
            reason="already_active",
            created_at=NOW,
        )
        for one in runs
    )


def _consent(people: list[Contact], sends: list[EmailSend], first: int) -> None:
    Preference.objects.bulk_create(Preference(contact=person, categories={"news": True}) for person in people)
    Suppression.objects.bulk_create(
        Suppression(email=f"bad{first + place}@example.com", reason="bounce", suppressed_at=NOW)
        for place in range(len(people))
    )
    Tombstone.objects.bulk_create(
        Tombstone(address_hash=f"{first + place}".encode(), unsubscribed_all=True, created_at=NOW, updated_at=NOW)
        for place in range(len(people))
    )
    ConsentChange.objects.bulk_create(
        ConsentChange(contact=send.contact, subscribed=False, door="page", send_id=send.id, created_at=NOW)
        for send in sends
    )


def _doubts(people: list[Contact], others: list[Contact], first: int) -> None:
    pairs = list(zip(people, others, strict=True))
    KeyConflict.objects.bulk_create(
        KeyConflict(
            contact=one, other=two, kind="email", value=f"k{first}-{two.id}", first_seen_at=NOW, last_seen_at=NOW
        )
        for one, two in pairs
    )
    ContactMerge.objects.bulk_create(ContactMerge(survivor=one, absorbed=two, actor="event") for one, two in pairs)


def _deliveries(numbers: range) -> None:
    DeadLetter.objects.bulk_create(
        DeadLetter(source_id="shop", payload="{}", error="ValueError: no order", received_at=NOW) for _ in numbers
    )
    WebhookSkip.objects.bulk_create(
        WebhookSkip(source_id=f"shop-{number}", reason="not_wanted", count=1, first_at=NOW, last_at=NOW)
        for number in numbers
    )


def _buckets(people: list[Contact], numbers: range) -> None:
    BucketConfig.objects.bulk_create(BucketConfig(bucket_id=f"gone-{number}") for number in numbers)
    BucketMembership.objects.bulk_create(
        BucketMembership(contact=person, bucket_id="went-dormant", source="event", entered_at=NOW) for person in people
    )


@pytest.fixture
def stories(db: None) -> Callable[[int], list[JourneyRun]]:
    """Make so many more people with a story each; return all runs."""
    made: list[JourneyRun] = []

    def make(count: int) -> list[JourneyRun]:
        made.extend(tell(len(made), count))
        return made

    return make


@pytest.fixture
def admin_user(db: None) -> User:
    """The administrator of `admin_client`; without a password, because hashing one takes longer than the test."""
    return User.objects.create(username="admin", is_staff=True, is_superuser=True)
