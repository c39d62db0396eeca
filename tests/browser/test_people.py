"""Staff's hands on people in Chromium: compare and merge, take back, change an address, erase; wide and on a phone."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from contacts.models import Contact, ContactKey, KeyConflict
from events.models import Event
from preferences.models import Preference
from tests.browser.screens import fits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


def contact(user_id: str | None, email: str | None, anonymous_id: str | None = None, **properties: object) -> Contact:
    made = Contact.objects.create(
        external_id=user_id, email=email, anonymous_id=anonymous_id, properties=properties,
        first_seen_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    names = {"external": user_id, "email": email, "anonymous": anonymous_id}
    ContactKey.objects.bulk_create(
        ContactKey(kind=kind, value=name, contact=made) for kind, name in names.items() if name
    )
    return made


@pytest.fixture
def ada(browser: Browser) -> Contact:
    return contact("ada-4711", "ada.lovelace@example.com", plan="pro", city="London", logins=41)


@pytest.fixture
def dora(browser: Browser) -> Contact:
    """Who came with a key of ada's, and has left all mail."""
    dora = contact(
        "dora-12", "dora@example.com", "visit-7f3a-11", plan="free", referrer="https://search.example/?q=hogs"
    )
    for number in range(3):
        Event.objects.create(contact=dora, name=f"page.{number}", occurred_at=NOW, received_at=NOW)
    Preference.objects.create(contact=dora, unsubscribed_all=True)
    return dora


@pytest.fixture
def conflict(ada: Contact, dora: Contact) -> KeyConflict:
    return KeyConflict.objects.create(
        contact=ada,
        other=dora,
        kind="email",
        value="dora@example.com",
        seen_count=3,
        first_seen_at=NOW,
        last_seen_at=NOW,
    )


def test_a_conflict_leads_to_the_comparison_the_merge_and_back(page: Page, conflict: KeyConflict) -> None:
    page.goto(f"/admin/contacts/contact/{conflict.contact_id}/change/")
    fits(page, "contact")
    page.get_by_role("link", name="e-mail address dora@example.com").click()
    fits(page, "conflict")
    page.get_by_role("link", name="Merge these two…").click()
    expect(page.get_by_text("ada.lovelace@example.com lives on; dora@example.com becomes part of it.")).to_be_visible()
    page.get_by_role("link", name="Let the other live on").click()
    expect(page.get_by_text("dora@example.com lives on;")).to_be_visible()
    page.get_by_role("link", name="Let the other live on").click()
    expect(page.get_by_text("ada.lovelace@example.com lives on;")).to_be_visible()
    fits(page, "preview")

    page.get_by_role("button", name="Merge these two").click()

    expect(page.get_by_text("The two are one.")).to_be_visible()
    fits(page, "merged")
    assert Contact.objects.get(email="dora@example.com").merged_into_id == conflict.contact_id
    page.get_by_role("link", name="The journal").click()
    fits(page, "journal")
    page.get_by_role("link", name="Take back…").click()
    fits(page, "undo")
    page.get_by_role("button", name="Take the merge back").click()
    expect(page.get_by_text("The merge is taken back")).to_be_visible()
    assert Contact.objects.get(email="dora@example.com").merged_into_id is None


def test_the_other_person_is_looked_for_by_a_key(page: Page, ada: Contact, dora: Contact) -> None:
    page.goto(f"/admin/contacts/contact/{ada.id}/change/")
    page.get_by_role("link", name="Merge…").click()
    page.get_by_label("The other person").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody has this key")).to_be_visible()
    fits(page, "search")

    page.get_by_label("The other person").fill("visit-7f3a-11")
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Merge these two")).to_be_visible()


def test_an_address_that_is_taken_shows_whose_it_is(page: Page, ada: Contact, dora: Contact) -> None:
    page.goto(f"/admin/contacts/contact/{ada.id}/change/")
    page.get_by_role("link", name="Change address…").click()
    page.get_by_label("New address").fill("Dora@example.com")
    page.get_by_role("button", name="Change the address").click()
    expect(page.get_by_text("This address belongs to dora@example.com")).to_be_visible()
    fits(page, "address")

    page.get_by_label("New address").fill("countess@example.com")
    page.get_by_role("button", name="Change the address").click()

    expect(page.get_by_text("Mail goes to the new address")).to_be_visible()
    ada.refresh_from_db()
    assert ada.email == "countess@example.com"


def test_a_contact_is_deleted_after_a_second_question(page: Page, ada: Contact) -> None:
    page.goto(f"/admin/contacts/contact/{ada.id}/change/")
    page.get_by_role("link", name="Delete…").click()
    fits(page, "delete")

    page.get_by_role("button", name="Delete ada.lovelace@example.com").click()

    expect(page.get_by_text("This contact is deleted")).to_be_visible()
    fits(page, "deleted")


def test_a_contact_is_erased_once_its_address_is_typed(page: Page, dora: Contact) -> None:
    page.goto(f"/admin/contacts/contact/{dora.id}/change/")
    page.get_by_role("link", name="Erase…").click()
    page.get_by_label("Type it here").fill("ada@example.com")
    page.get_by_role("button", name="Erase for ever").click()
    expect(page.get_by_text("This is not the person on this page")).to_be_visible()
    fits(page, "erase")
    assert Contact.objects.filter(id=dora.id).exists()

    page.get_by_label("Type it here").fill("dora@example.com")
    page.get_by_role("button", name="Erase for ever").click()

    expect(page.get_by_role("heading", name="The contact is erased")).to_be_visible()
    expect(page.get_by_text("dora")).to_have_count(0)
    fits(page, "erased")
    assert not Contact.objects.filter(id=dora.id).exists()


def test_all_that_is_known_is_downloaded(page: Page, dora: Contact) -> None:
    page.goto(f"/admin/contacts/contact/{dora.id}/change/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == f"contact-{dora.id}.json"
