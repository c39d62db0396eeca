"""What staff can do with one person: who may, what it does, and what is said."""

import json
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.actions import delete_contact, merge_contacts
from contacts.models import Contact, ContactKey, ContactMerge, KeyConflict
from contacts.queries import contact_by_id, contact_by_key
from events.actions import emit_events
from events.definitions import NewEvent
from events.models import Event
from tests.people import ada, ben, cleo, dora, person

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HANDS = {
    "contacts_contact_merge": "change_contact",
    "contacts_contact_address": "change_contact",
    "contacts_contact_remove": "delete_contact",
    "contacts_contact_erase": "erase_contact",
    "contacts_contact_export": "export_contact",
    "contacts_keyconflict_resolve": "change_contact",
    "contacts_contactmerge_undo": "change_contact",
}


def url(page: str, row: object) -> str:
    return reverse(f"admin:{page}", args=[row])


def page_of(contact: Contact) -> str:
    return url("contacts_contact_change", contact.pk)


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def did(contact: Contact, name: str) -> Event:
    [event] = emit_events([NewEvent(contact.pk, name)], now=NOW)
    return Event.objects.get(pk=event.id)


def conflict(one: Contact, two: Contact) -> KeyConflict:
    return KeyConflict.objects.create(
        contact=one, other=two, kind="email", value=two.email, first_seen_at=NOW, last_seen_at=NOW
    )


def merged(survivor: Contact, absorbed: Contact) -> ContactMerge:
    return merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff: grace", now=NOW)


def staff(client: Client, *codenames: str) -> Client:
    somebody = User.objects.create_user("viewer", is_staff=True)
    somebody.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client.force_login(somebody)
    return client


def row_of(page: str) -> object:
    known, visitor = ada(), cleo()
    if page == "contacts_keyconflict_resolve":
        return conflict(known, dora()).pk
    return merged(known, visitor).pk if page == "contacts_contactmerge_undo" else known.pk


def merge_form(survivor: Contact, absorbed: Contact) -> dict[str, str]:
    return {"survivor": str(survivor.pk), "absorbed": str(absorbed.pk)}


@pytest.mark.parametrize("page", HANDS)
def test_strangers_are_sent_to_the_login(client, page):
    answer = client.post(url(page, row_of(page)))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("page", HANDS)
def test_who_may_only_look_can_press_nothing(client, page):
    row = row_of(page)
    staff(client, "view_contact", "view_contactmerge", "view_keyconflict")
    assert client.post(url(page, row)).status_code == 403
    assert client.get(url(page, row)).status_code in {403, 405}
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize(("page", "permission"), HANDS.items())
def test_who_has_the_permission_can_press(client, page, permission):
    row = row_of(page)
    staff(client, "view_contact", permission)
    answer = client.post(url(page, row))
    assert answer.status_code in {200, 302}


@pytest.mark.parametrize(("page", "permission"), HANDS.items())
def test_the_permission_is_worth_nothing_to_who_may_not_look(client, page, permission):
    row = row_of(page)
    staff(client, permission)
    assert client.post(url(page, row)).status_code == 403


@pytest.mark.parametrize("page", ["contacts_contact_export", "contacts_keyconflict_resolve"])
def test_a_link_presses_no_button(admin_client, page):
    assert admin_client.get(url(page, row_of(page))).status_code == 405


@pytest.mark.parametrize("page", HANDS)
def test_a_form_from_elsewhere_presses_no_button(admin_user, page):
    row = row_of(page)
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)
    assert careful.post(url(page, row)).status_code == 403


@pytest.mark.parametrize(
    "page", [page for page in HANDS if page.startswith("contacts_contact_") and "export" not in page]
)
def test_looking_at_a_page_changes_nothing(admin_client, page):
    known = Contact.objects.get(pk=row_of(page))
    assert admin_client.get(url(page, known.pk)).status_code == 200
    assert contact_by_id(known.pk) == known
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("page", HANDS)
def test_nobody_and_nothing_is_not_found(admin_client, page):
    assert admin_client.post(url(page, "01a20ac1-218d-75cc-abae-f1f5f893620f")).status_code == 404


@pytest.mark.parametrize("codename", ["change_contact", "delete_contact", "erase_contact", "export_contact"])
def test_the_page_of_a_person_offers_only_what_may_be_pressed(client, codename):
    words = {
        "change_contact": "Merge…",
        "delete_contact": "Delete…",
        "erase_contact": "Erase…",
        "export_contact": "Export<",
    }
    staff(client, "view_contact", codename)
    page = client.get(page_of(ada())).content.decode()
    assert [word for word in words.values() if f">{word}" in page] == [words[codename]]


def test_the_other_person_is_found_by_any_key_and_both_are_shown_side_by_side(admin_client):
    known, visitor = ada(plan="pro"), cleo(plan="free", city="Rome")
    did(visitor, "page.viewed")

    answer = admin_client.get(url("contacts_contact_merge", known.pk), {"q": " cleo-visit "})

    it = answer.context["it"]
    assert (it.survivor, it.absorbed) == (known, visitor)
    assert [(line.label, line.result, line.origin) for line in it.properties] == [
        ("city", "Rome", "absorbed"),
        ("plan", "pro", "survivor"),
    ]
    assert [(line.label, line.origin) for line in it.names] == [
        ("E-mail", "survivor"), ("User id", "survivor"), ("Anonymous id", "absorbed"),
    ]  # fmt: skip
    assert dict(it.moved)["events"] == 1
    assert contact_by_id(visitor.pk) == visitor
    assert not ContactMerge.objects.exists()


def test_the_other_can_be_let_live_on(admin_client):
    known, visitor = ada(), cleo()
    answer = admin_client.get(
        url("contacts_contact_merge", known.pk), {"other": str(visitor.pk), "survivor": str(visitor.pk)}
    )
    assert (answer.context["it"].survivor, answer.context["it"].absorbed) == (visitor, known)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("nobody@example.com", "Nobody has this key"),
        ("ada", "you started from"),
        ("", "required"),
    ],
)
def test_a_search_that_finds_no_other_says_so(admin_client, asked, told):
    answer = admin_client.get(url("contacts_contact_merge", ada().pk), {"q": asked})
    assert told in answer.content.decode()


def test_a_key_that_means_several_people_lets_staff_choose(admin_client):
    person(user_id="dup"), person(anonymous_id="dup")
    answer = admin_client.get(url("contacts_contact_merge", ada().pk), {"q": "dup"})
    assert len(answer.context["others"]) == 2


def test_two_people_are_merged_by_hand(admin_client):
    known, other = ada(), dora()

    answer = admin_client.post(url("contacts_contact_merge", known.pk), merge_form(known, other), follow=True)

    journal = ContactMerge.objects.get()
    assert answer.redirect_chain == [(page_of(known), 302)]
    assert contact_by_key(kind="external", value="dora") == known
    assert journal.actor == "staff: admin"
    assert url("contacts_contactmerge_change", journal.pk) in said(answer)
    assert LogEntry.objects.get().object_id == str(known.pk)


def test_a_merge_that_cannot_be_is_said_on_the_page(admin_client):
    known, other = ada(), dora()
    delete_contact(contact_id=other.pk, now=NOW)
    for form in (merge_form(known, other), merge_form(known, known), {}, {"survivor": "x"}, merge_form(other, other)):
        answer = admin_client.post(url("contacts_contact_merge", known.pk), form, follow=True)
        assert said(answer)
    assert not ContactMerge.objects.exists()


def test_a_merged_contact_leads_to_its_survivor_and_the_survivor_lists_whom_it_absorbed(admin_client):
    known, visitor = ada(), cleo()
    journal = merged(known, visitor)
    visitors, survivors = (admin_client.get(page_of(one)).content.decode() for one in (visitor, known))
    assert f'part of <a class="hs-link" href="{page_of(known)}"' in visitors
    assert "Merge…" not in visitors
    assert f'Absorbed <a class="hs-link" href="{page_of(visitor)}"' in survivors
    assert url("contacts_contactmerge_change", journal.pk) in survivors
    assert url("contacts_contactmerge_change", journal.pk) in visitors


def test_a_merged_or_deleted_contact_can_neither_be_merged_nor_get_an_address(admin_client):
    known, visitor = ada(), cleo()
    merged(known, visitor)
    for name in ("merge", "address"):
        answer = admin_client.get(url(f"contacts_contact_{name}", visitor.pk), follow=True)
        assert "merged or deleted meanwhile" in said(answer)


def test_a_merge_is_taken_back_after_a_second_question(admin_client):
    known, visitor = ada(), cleo(city="Rome")
    journal = merged(known, visitor)

    question = admin_client.get(url("contacts_contactmerge_undo", journal.pk))
    answer = admin_client.post(url("contacts_contactmerge_undo", journal.pk), follow=True)

    journal.refresh_from_db()
    assert "Take the merge back" in question.content.decode()
    assert contact_by_id(visitor.pk) == visitor
    assert journal.undone_at is not None
    assert "is taken back" in said(answer)
    assert "Take back…" not in answer.content.decode()


def test_a_merge_that_cannot_be_taken_back_says_why(admin_client):
    known, visitor = ada(), cleo()
    journal = merged(known, visitor)
    delete_contact(contact_id=known.pk, now=NOW)
    answer = admin_client.post(url("contacts_contactmerge_undo", journal.pk), follow=True)
    assert "merged or deleted since" in said(answer)


def test_the_journal_shows_both_before_and_the_survivor_after(admin_client):
    known, visitor = ada(plan="pro"), cleo(city="Rome")
    did(visitor, "page.viewed")
    page = admin_client.get(url("contacts_contactmerge_change", merged(known, visitor).pk))
    assert [label for label, *_ in page.context["lines"]][:3] == ["User id", "E-mail", "Anonymous id"]
    assert dict(page.context["moved"])["events"] == 1
    assert page.context["keys"] == [("anonymous id", "cleo-visit")]
    assert "staff: grace" in page.content.decode()


def test_a_conflict_leads_to_the_preview_or_is_kept_apart(admin_client):
    known, other = ada(), dora()
    found = conflict(known, other)
    address = url("contacts_keyconflict_change", found.pk)
    assert f"{url('contacts_contact_merge', known.pk)}?other={other.pk}" in admin_client.get(address).content.decode()
    assert address in admin_client.get(page_of(known)).content.decode()

    admin_client.post(url("contacts_keyconflict_resolve", found.pk))
    again = admin_client.post(url("contacts_keyconflict_resolve", found.pk), follow=True)

    found.refresh_from_db()
    assert found.resolved_at is not None
    assert contact_by_id(other.pk) == other
    assert "resolved before" in said(again)
    assert address not in admin_client.get(page_of(known)).content.decode()


def test_an_address_is_changed_and_the_old_one_stays_a_key(admin_client):
    known = ada()

    answer = admin_client.post(url("contacts_contact_address", known.pk), {"email": " New@Example.com "}, follow=True)

    known.refresh_from_db()
    assert known.email == "new@example.com"
    assert contact_by_key(kind="email", value="ada@example.com") == known
    assert "new address from now on" in said(answer)
    assert "@" not in LogEntry.objects.get().object_repr + LogEntry.objects.get().change_message


def test_an_address_of_somebody_else_shows_who_it_is_and_leads_to_the_merge(admin_client):
    known, other = ada(), dora()

    answer = admin_client.post(url("contacts_contact_address", known.pk), {"email": "dora@example.com"})

    known.refresh_from_db()
    page = answer.content.decode()
    assert known.email == "ada@example.com"
    assert page_of(other) in page
    assert f"{url('contacts_contact_merge', known.pk)}?other={other.pk}" in page


@pytest.mark.parametrize("email", ["", "ada", "ada@@example.com", "x" * 400 + "@example.com"])
def test_what_is_no_address_is_refused_on_the_form(admin_client, email):
    known = ada()
    answer = admin_client.post(url("contacts_contact_address", known.pk), {"email": email})
    known.refresh_from_db()
    assert answer.context["form"].errors["email"]
    assert known.email == "ada@example.com"


def test_a_deleted_contact_keeps_its_history_and_loses_its_keys(admin_client):
    known = ada()
    did(known, "order.completed")

    answer = admin_client.post(url("contacts_contact_remove", known.pk), follow=True)

    assert contact_by_key(kind="external", value="ada") is None
    assert Event.objects.filter(contact=known, name="order.completed").exists()
    assert "is deleted" in said(answer)
    assert "This contact is deleted" in answer.content.decode()
    again = admin_client.post(url("contacts_contact_remove", known.pk), follow=True)
    assert "merged or deleted meanwhile" in said(again)


@pytest.mark.parametrize("typed", ["", "ada@example.co", "dora@example.com", "yes"])
def test_nobody_is_erased_whose_name_was_not_typed(admin_client, typed):
    known = ada()
    answer = admin_client.post(url("contacts_contact_erase", known.pk), {"name": typed})
    assert answer.context["form"].errors["name"]
    assert contact_by_id(known.pk) == known


@pytest.mark.parametrize("typed", ["ADA@example.com ", "ada", "id"])
def test_an_erased_contact_is_gone_and_named_nowhere(admin_client, typed):
    known = ada()
    admin_client.post(url("contacts_contact_address", known.pk), {"email": "later@example.com"})
    admin_client.post(url("contacts_contact_address", known.pk), {"email": "ada@example.com"})

    answer = admin_client.post(
        url("contacts_contact_erase", known.pk), {"name": str(known.pk) if typed == "id" else typed}
    )

    page, entry = answer.content.decode(), LogEntry.objects.latest("id")
    assert not Contact.objects.filter(pk=known.pk).exists()
    assert dict(answer.context["rows"])["contact keys"] == 3
    assert "ada@example.com" not in page
    assert str(known.pk) not in page
    assert (entry.object_repr, entry.object_id, entry.change_message) == ("erased contact", None, "")
    assert not LogEntry.objects.filter(object_id=str(known.pk)).exists()
    assert admin_client.get(url("contacts_contact_erase", known.pk)).status_code == 404


def test_a_deleted_contact_can_still_be_erased(admin_client):
    known = ada()
    delete_contact(contact_id=known.pk, now=NOW)
    admin_client.post(url("contacts_contact_erase", known.pk), {"name": "ada@example.com"})
    assert not Contact.objects.filter(pk=known.pk).exists()


def test_all_that_is_known_of_somebody_is_downloaded(admin_client):
    known = person(user_id='a"; filename="evil.sh', email="ada@example.com", plan="pro")
    did(known, "order.completed")

    answer = admin_client.post(url("contacts_contact_export", known.pk))

    document = json.loads(b"".join(answer.streaming_content))
    assert answer.streaming
    assert answer.headers["Content-Disposition"] == f'attachment; filename="contact-{known.pk}.json"'
    assert answer.headers["Content-Type"] == "application/json"
    assert document["contact"]["properties"] == {"plan": "pro"}
    assert [event["name"] for event in document["events"]] == ["order.completed"]


def full_story(survivor: Contact, count: int) -> None:
    for number in range(count):
        merged(survivor, person(anonymous_id=f"visit-{survivor.pk}-{number}", seen=number))
        conflict(
            survivor, person(user_id=f"other-{survivor.pk}-{number}", email=f"o{number}-{survivor.pk}@example.com")
        )
        ContactKey.objects.create(kind="anonymous", value=f"more-{survivor.pk}-{number}", contact=survivor)


@pytest.mark.parametrize("page", ["change", "merge", "erase"])
def test_a_page_asks_as_much_for_a_long_story_as_for_a_short_one(admin_client, page):
    short, long, other = ada(), dora(), ben()
    full_story(short, 1), full_story(long, 8)
    counts = []
    for contact in (short, short, long):
        with CaptureQueriesContext(connection) as asked:
            admin_client.get(url(f"contacts_contact_{page}", contact.pk), {"other": str(other.pk)})
        counts.append(len(asked))
    assert counts[1] == counts[2]
