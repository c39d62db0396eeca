from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, ContactKey
from preferences.models import Preference, Suppression
from preferences.queries import consent_of, contact_of, suppressed_addresses
from preferences.rules import Consent
from preferences.statements import CONSENT
from preferences.tokens import Action, Claims

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = UUID("01890000-0000-7000-8000-00000000dead")

pytestmark = pytest.mark.django_db


def claims(external_id="gone", email="gone@example.com", contact_id=None) -> Claims:
    return Claims(external_id, email, Action.UNSUBSCRIBE, contact_id=contact_id)


def test_who_chose_nothing_allows_everything(ada):
    assert consent_of([ada.id]) == {ada.id: Consent(ada.id, "ada@example.com")}


def test_every_fact_is_read_in_one_statement(ada, person):
    ben = person(email=None, external_id="ben", deleted_at=NOW)
    until = NOW + timedelta(days=3)
    Preference.objects.create(contact=ada, unsubscribed_all=True, categories={"news": False}, paused_until=until)
    Suppression.objects.create(email="ada@example.com", suppressed_at=NOW)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = consent_of([ada.id, ben.id, NOBODY])

    assert len(queries) == 1
    assert found == {
        ada.id: Consent(
            ada.id,
            "ada@example.com",
            suppressed=True,
            unsubscribed_all=True,
            paused_until=until,
            categories={"news": False},
        ),
        ben.id: Consent(ben.id, None, deleted=True),
    }


def test_asking_for_nobody_answers_nobody():
    assert consent_of([]) == {}


def test_bounces_that_are_only_counted_do_not_suppress(ada):
    Suppression.objects.create(email="ada@example.com", bounce_count=2)

    assert consent_of([ada.id])[ada.id].suppressed is False


def test_a_suppression_is_found_however_the_address_is_written(person):
    cleo = person(email=" Cleo@Example.COM", external_id="cleo")
    Suppression.objects.create(email="cleo@example.com", suppressed_at=NOW)

    assert consent_of([cleo.id])[cleo.id].suppressed is True


def test_the_row_of_a_merged_person_is_read_as_it_stands(ada, person):
    old = person(email=None, external_id="old-ada", merged_into=ada)
    Preference.objects.create(contact=old, categories={"news": False})

    assert consent_of([old.id])[old.id].categories == {"news": False}


def test_suppressed_addresses_are_told_from_the_others():
    Suppression.objects.create(email="bad@example.com", suppressed_at=NOW)
    Suppression.objects.create(email="soft@example.com", bounce_count=1)

    assert suppressed_addresses([" Bad@example.com ", "soft@example.com", "new@example.com"]) == {"bad@example.com"}


def test_our_own_id_finds_the_person_whose_user_id_has_changed(ada):
    Contact.objects.filter(id=ada.id).update(external_id="renamed")
    ContactKey.objects.all().delete()

    assert contact_of(claims(contact_id=ada.id)) == ada.id


def test_our_own_id_is_followed_to_the_survivor(ada, person):
    middle = person(email=None, external_id="middle", merged_into=ada, deleted_at=NOW)
    first = person(email=None, external_id="first", merged_into=middle, deleted_at=NOW)

    assert contact_of(claims(contact_id=first.id)) == ada.id


def test_a_link_without_our_id_finds_the_person_by_user_id(ada):
    assert contact_of(claims(external_id="ada")) == ada.id


def test_a_link_whose_user_id_is_our_own_id_finds_the_person(ada):
    assert contact_of(claims(external_id=str(ada.id))) == ada.id


def test_a_link_that_names_an_anonymous_id_finds_the_person(ada):
    ContactKey.objects.create(kind="anonymous", value="anon-1", contact=ada)

    assert contact_of(claims(external_id="anon-1")) == ada.id


def test_a_link_that_knows_the_address_only_finds_the_person(ada):
    assert contact_of(claims(external_id="Ada@example.com", email="Ada@Example.com")) == ada.id


def test_who_came_back_after_deletion_is_found_by_the_address(person):
    gone = person(email=None, external_id=None, deleted_at=NOW)
    back = person(email="dora@example.com", external_id="dora")

    assert contact_of(claims(email="dora@example.com", contact_id=gone.id)) == back.id


def test_nobody_is_found_under_unknown_keys(ada):
    assert contact_of(claims(contact_id=NOBODY)) is None


CROWD = """
    insert into contacts_contact (id, email, properties, first_seen_at, last_seen_at, created_at, updated_at)
    select gen_random_uuid(), n || '@example.com', '{}', now(), now(), now(), now() from generate_series(%s::int, %s::int) n"""
CROWD_KEYS = """
    insert into contacts_contactkey (kind, value, contact_id, created_at)
    select 'email', email, id, now() from contacts_contact
    on conflict do nothing"""


def test_reading_consent_stays_a_few_probes_when_statistics_are_old():
    """Fill analysed tables inside one transaction: a plan that scans an index reads more with every person."""
    costs = []
    with connection.cursor() as cursor:
        cursor.execute("analyze contacts_contact, contacts_contactkey, preferences_preference, preferences_tombstone")
        for block in range(3):
            cursor.execute(CROWD, [block * 5000, block * 5000 + 4999])
            cursor.execute(CROWD_KEYS)
            cursor.execute("select array_agg(id) from (select id from contacts_contact limit 50) as first")
            cursor.execute(f"explain (analyze, buffers, format json) {CONSENT}", cursor.fetchone())
            costs.append(cursor.fetchone()[0][0]["Plan"]["Shared Hit Blocks"])

    assert costs[2] <= 1.5 * costs[0]
