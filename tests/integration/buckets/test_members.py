"""Who is in a bucket, as adopters ask."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from buckets.definitions import Bucket, registry
from buckets.members import COUNT, PAGE
from buckets.models import BucketMembership
from conditions.property import prop
from contacts.actions import delete_contact, identify, merge_contacts
from contacts.models import Contact
from contacts.rules import Keys, keys_of
from hogsend.lib.ids import new_id
from tests.people import ada, ben, cleo, dora

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CROWD = """
    with people as (
        insert into contacts_contact (id, external_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
        select gen_random_uuid(), 'person-' || n, '{}', now(), now(), now(), now() from generate_series(1, %s) n
        returning id
    )
    insert into buckets_bucketmembership
        (id, contact_id, bucket_id, status, entry_number, source, entered_at, leave_reason)
    select hogsend_uuid7(), p.id, bucket_id, 'active', 1, 'event', now(), ''
    from people p, unnest(array['crowd', 'other']) bucket_id"""


@pytest.fixture
def bucket():
    with registry.scratch():
        registry._items.clear()
        yield Bucket("trial", name="On trial", criteria=prop("plan").eq("trial"))


def join(*people: Contact, plan: str = "trial", now: datetime = NOW) -> None:
    for person in people:
        identify(keys=keys_of(user_id=person.external_id, email=person.email), patch={"plan": plan}, now=now)


def joined(bucket: Bucket, number: int) -> None:
    for place in range(number):
        identify(keys=Keys(f"p{place}"), patch={"plan": "trial"}, now=NOW + place * HOUR)


def test_those_are_counted_who_are_in_and_live(bucket):
    join(ada(), ben(), dora())
    identify(keys=Keys("gone"), patch={"plan": "trial"}, now=NOW)
    join(dora(), plan="paid", now=NOW + HOUR)
    delete_contact(contact_id=Contact.objects.get(external_id="gone").pk, now=NOW + HOUR)

    assert bucket.count() == 2
    assert [member.email for member in bucket] == ["ada@example.com", "ben@example.com"]


def test_a_member_says_who_it_is_since_when_and_how_often_they_came(bucket):
    contact = ada(plan="trial")
    join(contact)
    join(contact, plan="paid", now=NOW + HOUR)
    join(contact, now=NOW + 2 * HOUR)

    [member] = bucket.members().members

    stay = BucketMembership.objects.get(status="active")
    assert (member.id, member.user_id, member.email) == (stay.pk, "ada", "ada@example.com")
    assert (member.entered_at, member.entry_count) == (NOW + 2 * HOUR, 2)


def test_who_is_in_is_known_by_every_key_of_theirs_that_names_people(bucket):
    first, second = ada(), ben()
    join(first, second)
    identify(keys=Keys(None, None, "cleo-visit"), patch={"plan": "trial"}, now=NOW)
    cleo_id = str(Contact.objects.get(anonymous_id="cleo-visit").pk)

    assert all(bucket.has(key) for key in ("ada", " ada ", str(first.pk), str(second.pk), "cleo-visit", cleo_id))
    assert "ada" in bucket


@pytest.mark.parametrize(
    "key", ["dora", "nobody", "", " ", "ada@example.com", "a\0b", "\ud800", "0190a000-0000-7000-8000-000000000001"]
)
def test_who_is_out_or_unknown_is_not_in(bucket, key):
    join(ada())
    dora()
    assert bucket.has(key) is False
    assert key not in bucket


def test_only_a_key_can_be_in_a_bucket(bucket):
    assert 1 not in bucket
    assert None not in bucket


def test_the_keys_of_the_absorbed_mean_the_survivor(bucket):
    survivor, absorbed = ada(), cleo()
    join(survivor)

    merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff", now=NOW + HOUR)

    assert bucket.has("cleo-visit")
    assert bucket.has(str(absorbed.pk))


def test_a_user_id_goes_before_an_anonymous_id_that_reads_the_same(bucket):
    join(ada())
    identify(keys=Keys(None, None, "twin"), patch={"plan": "trial"}, now=NOW)
    identify(keys=Keys("twin"), now=NOW)

    assert bucket.has("twin") is False


def test_who_was_deleted_is_out_under_every_key(bucket):
    contact = ada()
    join(contact)
    delete_contact(contact_id=contact.pk, now=NOW + HOUR)
    assert [bucket.has(key) for key in ("ada", str(contact.pk))] == [False, False]


def test_pages_hold_everybody_once_in_the_order_of_joining(bucket):
    joined(bucket, 5)

    pages = [bucket.members(limit=2)]
    while pages[-1].cursor is not None:
        pages.append(bucket.members(limit=2, cursor=pages[-1].cursor))

    found = [[member.user_id for member in page.members] for page in pages]
    assert found == [["p0", "p1"], ["p2", "p3"], ["p4"]]
    assert [page.count for page in pages] == [5, 5, 5]


def test_a_last_page_that_is_full_has_no_next(bucket):
    joined(bucket, 4)
    first = bucket.members(limit=2)
    last = bucket.members(limit=2, cursor=str(first.cursor))
    assert ([member.user_id for member in last.members], last.cursor) == (["p2", "p3"], None)


def test_a_bucket_with_nobody_in_it_is_one_empty_page(bucket):
    page = bucket.members()
    assert (page.members, page.count, page.cursor, list(bucket)) == ([], 0, None, [])


def test_a_page_holds_at_most_a_hundred(bucket):
    crowd(120)
    page = Bucket("crowd", name="Crowd", criteria=prop("plan").eq("x")).members(limit=1000)
    assert (len(page.members), page.count, page.cursor) == (100, 120, page.members[-1].id)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_nobody_is_refused(bucket, limit):
    with pytest.raises(ValueError, match="ask for 1 to 100"):
        bucket.members(limit=limit)
    with pytest.raises(ValueError, match="ask for 1 or more"):
        bucket.iterate(page_size=limit)


def test_what_is_no_cursor_is_refused(bucket):
    with pytest.raises(ValueError, match="'page-2' is no cursor"):
        bucket.members(cursor="page-2")


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_walking_through_gives_each_member_once(bucket, size):
    joined(bucket, 6)
    assert [member.user_id for member in bucket.iterate(page_size=size)] == [f"p{place}" for place in range(6)]


def test_walking_through_is_not_disturbed_by_those_who_leave_and_join_meanwhile(bucket):
    joined(bucket, 4)

    found = []
    for member in bucket.iterate(page_size=1):
        found.append(member.user_id)
        if member.user_id == "p0":
            identify(keys=Keys("p0"), patch={"plan": "paid"}, now=NOW + 9 * HOUR)
            identify(keys=Keys("late"), patch={"plan": "trial"}, now=NOW + 9 * HOUR)

    assert found == ["p0", "p1", "p2", "p3", "late"]


def test_what_the_database_refuses_is_raised(bucket):
    def refused() -> None:
        with connection.cursor() as cursor:
            cursor.execute("alter table buckets_bucketmembership rename to away")
        bucket.count()

    with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
        refused()


def crowd(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CROWD, [number])


def plan(sql: str, *values: object) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"explain {sql}", values)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_members_are_counted_by_the_index_alone_and_a_page_reads_no_whole_table():
    with transaction.atomic(), connection.cursor() as cursor:
        # The engine of the tests commits later, and vacuum waits for what is committed.
        cursor.execute("set local synchronous_commit = on")
        crowd(5000)
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze buckets_bucketmembership")
        cursor.execute("vacuum analyze contacts_contact")

    counted, paged = plan(COUNT, "crowd"), plan(PAGE, "crowd", new_id(), 51)

    assert "Index Only Scan using membership_active" in counted
    assert "Seq Scan" not in counted + paged
