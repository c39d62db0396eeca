"""Buckets in Chromium: read one, switch it, and try criteria; wide and on a phone."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from buckets.actions import run_backfill
from buckets.actions.days import count_days
from buckets.definitions import Bucket, registry
from buckets.models import Backfill, BucketConfig, BucketMembership
from contacts.models import Contact
from hogsend.clock import database_now
from tests.browser.screens import fits

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def bucket(browser: Browser) -> Bucket:
    """A shipped bucket in which people came and went for some weeks."""
    bucket, now = registry.get("trial-expiring-soon"), database_now()
    people = Contact.objects.bulk_create(
        Contact(
            external_id=f"p{number}", email=f"p{number}@example.com", first_seen_at=now, last_seen_at=now,
            properties={"plan": "trial", "trial_days_left": number % 20},
        )
        for number in range(80)
    )  # fmt: skip
    run_backfill(bucket, now=now)
    BucketMembership.objects.bulk_create(
        BucketMembership(
            contact=person, bucket_id=bucket.id, source="event", status="left", leave_reason="criteria",
            entered_at=now - timedelta(days=number % 40, hours=30), left_at=now - timedelta(days=number % 20, minutes=1),
        )
        for number, person in enumerate(people)
    )  # fmt: skip
    count_days(bucket, now=now)
    return bucket


def test_a_bucket_is_found_read_and_switched_off_and_on(page: Page, bucket: Bucket) -> None:
    page.goto("/admin/buckets/bucketconfig/")
    fits(page, "buckets")
    page.get_by_placeholder("Name or id").fill("trial")
    page.keyboard.press("Enter")
    expect(page.locator("#buckets tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Trial expiring soon").click()
    expect(page.get_by_text("plan is “trial” and trial_days_left is at most 3")).to_be_visible()
    fits(page, "bucket")
    page.get_by_text("Every day as a table").click()
    expect(page.get_by_role("columnheader", name="Size at its end")).to_be_visible()
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")

    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Staff switched this bucket off")).to_be_visible()
    was_off = not BucketConfig.objects.get(pk=bucket.id).enabled
    page.get_by_role("button", name="Switch on").click()

    expect(page.get_by_role("progressbar")).to_be_visible()
    assert was_off
    assert Backfill.objects.filter(status="running").exists()


def test_criteria_are_tried_corrected_and_shared(page: Page, bucket: Bucket) -> None:
    page.goto("/admin/buckets/bucketconfig/preview/")
    page.get_by_label("A declared bucket").select_option("trial-expiring-soon")
    page.get_by_role("button", name="Begin with it").click()
    expect(page.get_by_text("Trial expiring soon, now")).to_be_visible()
    fits(page, "preview")
    page.locator("textarea").fill('{"type": "property", "property": "plan", "operator": "eqq", "value": "trial"}')
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_text("Did you mean 'eq'?")).to_be_visible()
    fits(page, "preview-refused")

    page.locator("textarea").fill('{"type": "property", "property": "plan", "operator": "eq", "value": "trial"}')
    page.get_by_role("button", name="Preview", exact=True).click()

    expect(page.get_by_text("people would be in")).to_be_visible()
    page.goto(page.url)
    expect(page.get_by_text("100.0%")).to_be_visible()
    page.get_by_text("What finding them costs the database").click()
    expect(page.get_by_text("Scan on contacts_contact").first).to_be_visible()


def test_members_lead_to_people_and_people_to_their_buckets(page: Page, bucket: Bucket) -> None:
    page.goto("/admin/buckets/bucketmembership/?bucket_id=trial-expiring-soon&status=left")
    fits(page, "members")

    page.get_by_role("link", name="@example.com").first.click()

    expect(page.get_by_role("link", name="Trial expiring soon").first).to_be_visible()
    fits(page, "member")
