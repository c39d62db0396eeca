"""Buckets as staff see them, and what staff can do to them."""

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from buckets.actions import begin_backfill, run_backfill, set_enabled
from buckets.actions.days import count_days
from buckets.admin import bucket as bucket_admin
from buckets.definitions import Bucket
from buckets.models import (
    Backfill,
    BackfillMode,
    BucketConfig,
    BucketDay,
    BucketMembership,
    DwellDue,
    Verification,
)
from conditions.event import event
from conditions.property import prop
from contacts.models import Contact
from hogsend.clock import database_now
from journeys.definitions import journey
from journeys.definitions import registry as journeys
from journeys.reactions import declare_reactions
from tests.integration.buckets.scene import DAY, HOUR, does, inside, settled
from tests.people import ada, ben, cleo, dora

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

LIST = "/admin/buckets/bucketconfig/"
TRIAL = {"type": "property", "property": "plan", "operator": "eq", "value": "trial"}
BUTTONS = ("switch", "judge", "verify")


@pytest.fixture
def admin_user(db: None) -> User:
    return User.objects.create(username="admin", is_staff=True, is_superuser=True)


def trial(bucket_id: str = "b", **policy) -> Bucket:
    return Bucket(bucket_id, name=f"On trial {bucket_id}", criteria=prop("plan").eq("trial"), **policy)


def page_of(bucket_id: str = "b") -> str:
    return reverse("admin:buckets_bucketconfig_change", args=[bucket_id])


def button(name: str, bucket_id: str = "b") -> str:
    return reverse(f"admin:buckets_bucketconfig_{name}", args=[bucket_id])


def text_of(answer) -> str:
    """Return what can be read on a page."""
    without_tags = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(without_tags).split())


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def staff(client: Client, *codenames: str) -> Client:
    somebody = User.objects.create_user("viewer", is_staff=True)
    somebody.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client.force_login(somebody)
    return client


def stay(contact: Contact, at: datetime, *, until: datetime | None = None, bucket_id: str = "b") -> BucketMembership:
    ended = {"status": "left", "left_at": until, "leave_reason": "criteria"} if until else {}
    return BucketMembership.objects.create(contact=contact, bucket_id=bucket_id, source="event", entered_at=at, **ended)


def lines(client: Client, **query) -> dict[str, object]:
    return {line.id: line for line in client.get(LIST, query).context["lines"]}


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_shows_every_declared_bucket_also_one_of_which_nothing_is_stored(admin_client):
    trial()

    answer = admin_client.get(LIST)

    assert "On trial b" in text_of(answer)
    assert "plan is “trial”" in text_of(answer)
    assert "never backfilled" in text_of(answer)
    assert not BucketConfig.objects.exists()


def test_what_is_gone_from_the_code_is_shown_as_gone(admin_client):
    BucketConfig.objects.create(bucket_id="old")

    assert lines(admin_client)["old"].state.words == "not in the code"
    assert "old" in text_of(admin_client.get(page_of("old")))
    assert admin_client.post(button("switch", "old"), {"enabled": "1"}).status_code == 404


def test_the_list_says_where_each_bucket_stands(admin_client, settings):
    settings.ENABLED_BUCKETS = frozenset({"on", "out", "off", "behind", "stale", "busy", "stuck"})
    settled(trial("on"))
    trial("out", enabled=False)
    trial("left-out")
    set_enabled(trial("off"), enabled=False, now=database_now())
    BucketConfig.objects.create(bucket_id=trial("behind").id, criteria_hash="another")
    settled(trial("stale"))
    BucketConfig.objects.filter(pk="stale").update(is_stale=True)
    for bucket in (trial("busy"), trial("stuck")):
        begin_backfill(bucket, now=database_now())
    Backfill.objects.update(processed=42, total=100)
    Backfill.objects.filter(bucket_id="stuck").update(error="ValueError: no")

    assert {name: line.state.words for name, line in lines(admin_client).items()} == {
        "on": "on",
        "out": "off in the code",
        "left-out": "left out here",
        "off": "switched off",
        "behind": "waits for a backfill",
        "stale": "waits for a backfill",
        "busy": "backfill 42 %",
        "stuck": "backfill stuck 42 %",
    }


def test_the_list_tells_the_size_and_the_moves_of_a_week_from_the_days_that_were_counted(admin_client):
    bucket, now = trial(), database_now()
    stay(ada(), now - 20 * DAY, until=now - 2 * DAY)
    stay(ben(), now - 3 * DAY)
    stay(dora(), now - 40 * DAY)
    count_days(bucket, now=now)

    movement = lines(admin_client)["b"].movement

    assert (movement.size, movement.joined, movement.left) == (2, 1, 1)
    assert movement.trend == "from 1 to 2 in 30 days"
    assert movement.spark.count("L") == 29


def test_a_bucket_in_which_nobody_moved_for_long_has_the_size_of_its_last_day(admin_client):
    trial()
    long_ago = database_now() - 200 * DAY
    BucketDay.objects.create(bucket_id="b", day=long_ago.date(), entered=9, size=9, counted_at=long_ago)

    movement = lines(admin_client)["b"].movement

    assert (movement.size, movement.joined, movement.left) == (9, 0, 0)
    assert movement.trend == "from 9 to 9 in 30 days"


def test_the_list_is_narrowed_and_sorted(admin_client):
    for bucket_id, size in (("small", 1), ("large", 100), ("middle", 10)):
        settled(trial(bucket_id))
        BucketDay.objects.create(bucket_id=bucket_id, day=database_now().date(), size=size, counted_at=database_now())
    set_enabled(trial("off"), enabled=False, now=database_now())

    assert list(lines(admin_client, sort="-size")) == ["large", "middle", "small", "off"]
    assert list(lines(admin_client, sort="size", state="on")) == ["small", "middle", "large"]
    assert list(lines(admin_client, state="off")) == ["off"]
    assert list(lines(admin_client, q=" TRIAL mid ")) == ["middle"]
    assert list(lines(admin_client, sort="nonsense", state="nonsense")) == []


def test_the_list_asks_as_much_for_many_buckets_as_for_few(admin_client):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(LIST).status_code == 200
        return len(queries)

    trial("first")
    few = asked()
    for number in range(40):
        bucket = trial(f"b{number}")
        settled(bucket)
        BucketDay.objects.create(bucket_id=bucket.id, day=database_now().date(), size=1, counted_at=database_now())

    assert asked() == few <= 8


def test_an_empty_product_is_told_where_buckets_come_from(admin_client):
    assert "No bucket is declared yet. Buckets live in code" in text_of(admin_client.get(LIST))


# --- the page of one --------------------------------------------------------------------------------------------------


def test_a_page_tells_what_a_bucket_is(admin_client):
    Bucket(
        "b",
        name="Gone quiet",
        description="Who was here and is not.",
        criteria=event("active").exists() & event("active").within(timedelta(days=7)).never() & prop("plan").exists(),
        entry_limit="once_per_period",
        entry_period=3 * DAY,
        min_dwell=HOUR,
        max_dwell=30 * DAY,
        reconcile_joins=False,
        fast_expiry=True,
        sync_to_posthog=True,
    )

    page = text_of(admin_client.get(page_of()))

    for words in (
        "Gone quiet",
        "Who was here and is not.",
        "did active and did not do active in the last 7 days",
        "again after 3 days out",
        "at least 1 hour, at most 30 days",
        "Windows 7 days",
        "Joining by time alone never",
        "every few seconds",
        "the property hogsend_bucket_b says who is in",
        "tests/integration/buckets/test_admin.py:",
        "Nobody was judged by this bucket yet.",
    ):
        assert words in page, words
    assert not BucketConfig.objects.exists()


def test_a_page_links_what_feeds_the_bucket_and_what_it_feeds(admin_client):
    bucket = Bucket("b", name="Gone", criteria=event("app active").exists() & prop("plan").eq("trial"))
    bucket.on("enter", lambda user, ctx: None, first_entry_only=True).on("dwell", lambda user, ctx: None, after=DAY)
    with journeys.scratch():
        journey(id="win-back", trigger=bucket.left)(lambda user, ctx: None)
        journey(id="any", trigger="bucket:entered")(lambda user, ctx: None)
        declare_reactions()
        page = admin_client.get(page_of())

    assert 'href="/admin/events/event/?name=app%20active"' in page.content.decode()
    assert 'href="/admin/journeys/journeyrun/?journey_id=win-back"' in page.content.decode()
    assert [(fed.journey.id, fed.when) for fed in page.context["fed"]] == [
        ("bucket-b-on-enter", "when somebody joins for the first time"),
        ("bucket-b-on-dwell-after-86400000", "1 day after joining"),
        ("win-back", "when somebody leaves"),
        ("any", "when somebody joins any bucket"),
    ]


def test_a_page_tells_the_size_of_this_moment_and_how_it_came_about(admin_client):
    bucket, now = trial(), database_now()
    stay(ada(), now - 4 * DAY, until=now - 2 * DAY)
    stay(ben(), now - 3 * DAY)
    count_days(bucket, now=now)
    stay(dora(), now)

    context = admin_client.get(page_of()).context

    growth = context["growth"]
    assert context["size"] == 2
    assert (growth.change, growth.joined, growth.left, growth.average_stay) == (1, 2, 1, 2 * DAY)
    assert len(growth.points) == 30
    assert [row.contact.email for row in context["came"]] == ["dora@example.com", "ben@example.com", "ada@example.com"]
    assert [row.contact.email for row in context["went"]] == ["ada@example.com"]


@pytest.mark.parametrize(("asked", "shown"), [("30", 30), ("90", 90), ("7", 30), ("x", 30)])
def test_a_page_goes_back_thirty_or_ninety_days(admin_client, asked, shown):
    trial()
    assert len(admin_client.get(page_of(), {"days": asked}).context["growth"].points) == shown


def test_the_charts_can_be_read_without_seeing_them(admin_client):
    bucket, now = trial(), database_now()
    stay(ada(), now - DAY)
    count_days(bucket, now=now)

    page = admin_client.get(page_of()).content.decode()

    assert page.count('role="img" aria-labelledby=') == 2
    assert "1 joined and 0 left in 30 days." in page
    assert f"<td>{now:%Y-%m-%d}</td>" in page


def test_a_page_tells_of_backfills_and_drift(admin_client):
    bucket, now = trial(), database_now()
    ada(plan="trial")
    run_backfill(bucket, now=now)
    Verification.objects.create(
        bucket_id="b", people=9, missing=2, surplus=1, repaired=3, started_at=now, finished_at=now
    )
    Backfill.objects.create(
        bucket_id="b", mode="again", criteria_hash=bucket.criteria_hash, total=1000, processed=250,
        created_at=now, progressed_at=now, error="OperationalError: no room",
    )  # fmt: skip

    page = text_of(admin_client.get(page_of()))

    assert "250 of about 1,000 people" in page
    assert "tried again: OperationalError: no room" in page
    assert "2 missing, 1 too many" in page
    assert "the bucket is new done 1 1 0" in page


def test_a_page_tells_how_many_stays_are_due_soon(admin_client):
    bucket, now = trial(), database_now()
    bucket.on("dwell", lambda user, ctx: None, every=2 * DAY)
    for contact, due in ((ada(), HOUR), (ben(), 23 * HOUR), (dora(), 25 * HOUR)):
        row = stay(contact, now)
        DwellDue.objects.create(membership=row, bucket_id="b", label=bucket.schedules[0].label, due_at=now + due)

    with journeys.scratch():
        declare_reactions()
        page = admin_client.get(page_of())

    [fed] = page.context["fed"]
    assert (fed.when, fed.due_at, fed.soon) == ("every 2 days of a stay", now + HOUR, "2")
    assert "2 due within a day; the next in" in text_of(page)


def test_a_page_asks_as_much_for_many_people_as_for_few(admin_client):
    bucket = trial()
    settled(bucket)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(page_of()).status_code == 200
        return len(queries)

    stay(ada(), database_now())
    few = asked()
    people = Contact.objects.bulk_create(
        Contact(external_id=f"p{n}", first_seen_at=database_now(), last_seen_at=database_now()) for n in range(60)
    )
    for contact in people:
        stay(contact, database_now())

    assert asked() == few <= 14


@pytest.mark.parametrize("bucket_id", ["nothing", "a b", "x" * 300])
def test_a_page_of_no_bucket_leads_back_with_a_sentence(admin_client, bucket_id):
    answer = admin_client.get(f"{LIST}{bucket_id}/change/", follow=True)

    assert answer.status_code == 200
    assert "exist. Perhaps it was deleted" in text_of(answer)


def test_ids_with_every_sign_they_may_hold_lead_to_their_page(admin_client):
    trial("Big_5f.spenders-2")
    [address] = re.findall(
        r'href="(/admin/buckets/bucketconfig/[^"]+/change/)"', admin_client.get(LIST).content.decode()
    )

    assert admin_client.get(address).context["bucket"].id == "Big_5f.spenders-2"


# --- buttons ----------------------------------------------------------------------------------------------------------


def test_a_bucket_is_switched_off_and_on_and_both_are_written_down(admin_client):
    ada(plan="trial")
    run_backfill(trial(), now=database_now())

    off = admin_client.post(button("switch"), {"enabled": "0"}, follow=True)
    does("ben", plan="trial", at=database_now())
    was_off = inside()
    on = admin_client.post(button("switch"), {"enabled": "1"}, follow=True)

    assert "is off: its members stay in" in said(off)
    assert was_off == {"ada"}
    assert "Everybody is judged first" in said(on)
    assert Backfill.objects.filter(status="running", mode="again").exists()
    assert list(LogEntry.objects.order_by("id").values_list("object_id", flat=True)) == ["b", "b"]


def test_pressing_the_same_switch_twice_changes_nothing_more(admin_client):
    settled(trial())

    admin_client.post(button("switch"), {"enabled": "0"})
    admin_client.post(button("switch"), {"enabled": "0"})

    assert BucketConfig.objects.get().enabled is False


def test_what_the_code_switches_off_staff_cannot_switch_on(admin_client):
    trial(enabled=False)

    answer = admin_client.post(button("switch"), {"enabled": "1"}, follow=True)

    assert "change it there" in said(answer)
    assert not LogEntry.objects.exists()
    assert "Switch on" not in text_of(answer)


def test_everybody_is_judged_again_in_the_background(admin_client):
    settled(trial())
    ada()

    answer = admin_client.post(button("judge"), follow=True)

    assert "About 1 people are being judged" in said(answer)
    assert Backfill.objects.get().mode == BackfillMode.AGAIN


def test_a_bucket_that_is_off_is_not_told_to_judge(admin_client):
    set_enabled(trial(), enabled=False, now=database_now())

    answer = admin_client.post(button("judge"), follow=True)

    assert "switch it on in the admin first" in said(answer)
    assert not Backfill.objects.exists()


def test_verifying_puts_right_who_is_astray_and_says_so(admin_client):
    bucket = trial()
    settled(bucket)
    Contact.objects.filter(pk=ada().pk).update(properties={"plan": "trial"})

    first = admin_client.post(button("verify"), follow=True)
    second = admin_client.post(button("verify"), follow=True)

    assert "Of 1 people 1 were astray; 1 were moved." in said(first)
    assert "All 1 people are where they belong." in said(second)
    assert inside() == {"ada"}


def test_what_cannot_be_verified_is_said_and_not_written_down(admin_client):
    trial()

    answer = admin_client.post(button("verify"), follow=True)

    assert "wait for its backfill" in said(answer)
    assert not LogEntry.objects.exists()


def test_more_people_than_a_page_can_wait_for_are_verified_by_a_command(admin_client, monkeypatch):
    monkeypatch.setattr(bucket_admin, "MOST_VERIFIED", 1)
    settled(trial())
    ada()
    ben()

    answer = admin_client.post(button("verify"), follow=True)

    assert "manage.py verify_buckets b" in said(answer)
    assert not Verification.objects.exists()


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, f"{LIST}preview/", f"{LIST}b/change/", "/admin/buckets/bucketmembership/"])
def test_strangers_and_staff_without_the_permission_see_nothing(client, path):
    trial()
    stranger = client.get(path)
    staff(client, "view_event")

    assert (stranger.status_code, stranger.headers["Location"].split("?")[0]) == (302, "/admin/login/")
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("name", BUTTONS)
def test_who_may_look_has_no_buttons_and_can_press_none(client, name):
    settled(trial())
    staff(client, "view_bucketconfig")

    page = client.get(page_of())

    assert page.status_code == 200
    assert button(name) not in page.content.decode()
    assert client.post(button(name)).status_code == 403
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", BUTTONS)
def test_who_may_change_can_press(client, name):
    settled(trial())
    staff(client, "view_bucketconfig", "change_bucketconfig")

    assert button(name) in client.get(page_of()).content.decode()
    assert client.post(button(name), {"enabled": "0"}).status_code == 302


@pytest.mark.parametrize("name", BUTTONS)
def test_a_link_presses_no_button(admin_client, name):
    trial()
    assert admin_client.get(button(name)).status_code == 405


@pytest.mark.parametrize("name", BUTTONS)
def test_a_form_from_elsewhere_presses_no_button(admin_user, name):
    trial()
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)
    assert careful.post(button(name)).status_code == 403


def test_who_may_not_see_people_is_shown_numbers_alone(client):
    settled(trial())
    stay(ada(plan="trial"), database_now())
    staff(client, "view_bucketconfig")

    page = client.get(page_of()).content.decode()
    preview = client.get(f"{LIST}preview/", {"criteria": json.dumps(TRIAL)})

    assert "ada@example.com" not in page + preview.content.decode()
    assert preview.context["found"].preview.size == 1


def test_the_sidebar_leads_to_buckets_for_those_who_may_look(client):
    staff(client, "view_bucketconfig")

    page = client.get(LIST).content.decode()

    assert f'href="{LIST}preview/"' in page
    assert 'href="/admin/buckets/bucketmembership/"' not in page


# --- the preview ------------------------------------------------------------------------------------------------------


def preview(client: Client, **query: str):
    return client.get(f"{LIST}preview/", query)


def test_a_preview_says_who_would_be_in_and_changes_nothing(admin_client):
    somebody = ada(plan="trial")
    ben(plan="paid")

    answer = preview(admin_client, criteria=json.dumps(TRIAL))

    seen = answer.context["found"].preview
    assert (seen.size, seen.people_total, seen.in_words) == (1, 2, "plan is “trial”")
    assert f'href="/admin/contacts/contact/{somebody.pk}/change/"' in answer.content.decode()
    assert "50.0%" in text_of(answer)
    assert not BucketMembership.objects.exists()
    assert not BucketConfig.objects.exists()


def test_a_preview_begins_with_a_declared_bucket(admin_client):
    trial()

    answer = preview(admin_client, bucket="b")

    assert json.loads(answer.context["form"]["criteria"].value()) == TRIAL
    assert "On trial b, now" in text_of(answer)
    assert answer.context["found"].preview.size == 0


def test_a_preview_of_no_bucket_says_which_was_meant(admin_client):
    trial("on-trial")

    assert "Did you mean 'on-trial'?" in text_of(preview(admin_client, bucket="on-trail"))


@pytest.mark.parametrize(
    ("criteria", "sentence"),
    [
        ('{"type": "property"}', "needs the name of a property"),
        ('{"type": "property", "property": "plan", "operator": "eqq", "value": 1}', "Did you mean 'eq'?"),
        ('{"type": "email_engagement"}', "There is no condition of type 'email_engagement' here"),
        ('{"type": "composite", "operator": "and", "conditions": []}', "A combination needs conditions"),
        ("{\n  plan", "This is not JSON at line 2, column 3"),
        ("[1, 2]", "is not a condition"),
        ("[" * 3990, "nest too deep"),
        ('{"type": "property", "property": "a\\u0000", "operator": "exists"}', "holds text that no property can hold"),
        ('{"type": "property", "property": "a", "operator": "gt", "value": NaN}', "takes"),
        ("", "This field is required."),
    ],
)
def test_criteria_that_cannot_be_are_refused_with_a_sentence(admin_client, criteria, sentence):
    answer = preview(admin_client, criteria=criteria)

    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert answer.context["found"] is None


@pytest.mark.parametrize(
    "criteria",
    [
        {"type": "property", "property": "%s", "operator": "eq", "value": "100%' or 1=1 --"},
        {"type": "property", "property": "a", "operator": "gt", "value": 10**400 // 10**390},
        {"type": "event", "eventName": "<script>alert(1)</script>", "check": "exists"},
    ],
)
def test_odd_criteria_are_only_criteria(admin_client, criteria):
    ada()

    answer = preview(admin_client, criteria=json.dumps(criteria))

    assert answer.context["found"].preview.size == 0
    assert "<script>alert" not in answer.content.decode()


def test_a_preview_tells_why_no_bucket_can_have_such_criteria(admin_client):
    cleo()

    answer = preview(admin_client, criteria='{"type": "property", "property": "plan", "operator": "not_exists"}')

    assert "only say what people lack" in text_of(answer)
    assert answer.context["found"].preview.size == 1


# --- members ----------------------------------------------------------------------------------------------------------


def test_members_are_narrowed_to_one_bucket_the_newest_first(admin_client):
    trial()
    now = database_now()
    late, early = stay(ada(), now - HOUR), stay(ben(), now - DAY)
    stay(ada(), now, bucket_id="gone")

    answer = admin_client.get("/admin/buckets/bucketmembership/", {"bucket_id": "b", "status": "active"})

    assert list(answer.context["cl"].result_list) == [late, early]
    assert "On trial b" in text_of(answer)
    assert "gone" in text_of(answer)  # a choice of the filter


def test_members_are_told_apart_by_state_and_by_what_noticed_them(admin_client):
    now = database_now()
    gone, known = stay(ben(), now - DAY, until=now), stay(ada(), now - HOUR)
    BucketMembership.objects.filter(pk=known.pk).update(source="backfill")

    def found(**query: str) -> list[BucketMembership]:
        return list(admin_client.get("/admin/buckets/bucketmembership/", query).context["cl"].result_list)

    assert found(status="left") == [gone]
    assert found(status="active") == [known]
    assert found(source="backfill") == [known]
    assert found(source="backfill", bucket_id="b", status="left") == []


def test_the_page_of_a_stay_says_what_will_become_of_it(admin_client):
    trial()
    now = database_now()
    row = stay(ada(), now)
    BucketMembership.objects.update(leave_due_at=now + HOUR, max_dwell_at=now + DAY)

    page = text_of(admin_client.get(reverse("admin:buckets_bucketmembership_change", args=[row.pk])))

    assert "On trial b" in page
    assert f"leaves at {now + HOUR:%Y-%m-%d %H:%M:%S}" in page
    assert f"The longest stay ends at {now + DAY:%Y-%m-%d %H:%M:%S}" in page


def test_the_page_of_a_person_tells_their_buckets_the_present_ones_first(admin_client):
    trial()
    known, now = ada(), database_now()
    stay(known, now, until=now, bucket_id="gone")
    stay(known, now - DAY)

    answer = admin_client.get(reverse("admin:contacts_contact_change", args=[known.pk]))

    assert [one.name for one in answer.context["stays"]] == ["On trial b", "gone"]
    assert page_of() in answer.content.decode()


def test_who_may_not_see_members_does_not_see_them_on_a_persons_page(client):
    stay(ada(), datetime(2026, 1, 1, tzinfo=UTC))
    staff(client, "view_contact")

    answer = client.get(reverse("admin:contacts_contact_change", args=[Contact.objects.get().pk]))

    assert answer.context["stays"] is None
    assert answer.status_code == 200
