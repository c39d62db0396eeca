"""Every list and every page of the admin, with rows in it."""

import html
import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact
from emails.models import EmailSend
from hogsend.admin_site import EstimatingPaginator, LookAdmin, values_in_use
from journeys.models import JourneyRun

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

OURS = [model for model, page in admin.site._registry.items() if isinstance(page, LookAdmin)]
OF_CODE = {"buckets.BucketConfig", "journeys.JourneyOverride"}  # whose lists are pages of their own
LISTED = [model for model in OURS if model._meta.label not in OF_CODE]
DJANGO = [model for model in admin.site._registry if model not in OURS]
Stories = Callable[[int], list[JourneyRun]]


def address(model: type, view: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=arguments)


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model._meta.label)
def test_a_list_shows_its_rows(admin_client: Client, stories: Stories, model: type) -> None:
    stories(2)

    answer = admin_client.get(address(model, "changelist"))

    assert answer.status_code == 200
    assert answer.context["cl"].result_count >= 2
    assert b"result_list" in answer.content


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_a_page_shows_its_row(admin_client: Client, stories: Stories, model: type) -> None:
    stories(1)
    row = model.objects.order_by("pk").first()

    answer = admin_client.get(address(model, "change", row.pk))

    assert answer.status_code == 200
    assert answer.context["original"] == row
    assert b"hs-facts" in answer.content


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model._meta.label)
def test_a_list_asks_as_much_for_many_rows_as_for_few(admin_client: Client, stories: Stories, model: type) -> None:
    stories(3)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(address(model, "changelist"))
    stories(47)

    with CaptureQueriesContext(connection) as many:
        admin_client.get(address(model, "changelist"))

    assert len(many) == len(few) <= 12, "\n".join(query["sql"] for query in many.captured_queries)


@pytest.mark.parametrize("model", DJANGO, ids=lambda model: model._meta.label)
def test_the_lists_and_forms_of_djangos_apps_open(admin_client: Client, model: type) -> None:
    assert admin_client.get(address(model, "changelist")).status_code == 200
    assert admin_client.get(address(model, "add")).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_nobody_adds_changes_or_deletes_rows_by_hand(admin_client: Client, stories: Stories, model: type) -> None:
    stories(1)
    row = model.objects.order_by("pk").first()

    deleted = admin_client.post(address(model, "delete", row.pk), {"post": "yes"})
    admin_client.post(address(model, "change", row.pk), {"name": "changed", "email": "changed@example.com"})

    assert deleted.status_code == 403
    again = model.objects.get(pk=row.pk)
    assert [getattr(again, field.attname) for field in model._meta.concrete_fields] == [
        getattr(row, field.attname) for field in model._meta.concrete_fields
    ]
    if model._meta.label != "api.ApiKey":
        assert admin_client.get(address(model, "add")).status_code == 403


def test_a_page_of_no_row_leads_back_with_a_sentence(admin_client: Client) -> None:
    nowhere = address(Contact, "change", "01a20ac1-218d-75cc-abae-f1f5f893620f")

    answer = admin_client.get(nowhere, follow=True)

    assert answer.status_code == 200
    assert "exist. Perhaps it was deleted" in html.unescape(answer.content.decode())


@pytest.mark.parametrize("path", ["", "contacts/contact/", "emails/emailsend/"])
def test_strangers_are_sent_to_the_login(client: Client, path: str) -> None:
    answer = client.get(f"/admin/{path}")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_staff_sees_what_the_permission_allows(client: Client, stories: Stories) -> None:
    stories(1)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_event"))
    client.force_login(viewer)

    assert client.get("/admin/events/event/").status_code == 200
    assert client.get("/admin/contacts/contact/").status_code == 403
    assert client.get(address(Contact, "change", Contact.objects.earliest("pk").pk)).status_code == 403
    first_page = client.get("/admin/").content.decode()
    assert "/admin/events/event/" in first_page
    assert "/admin/contacts/contact/" not in first_page


def test_the_first_page_tells_the_last_day_in_numbers(admin_client: Client, stories: Stories) -> None:
    stories(3)

    answer = admin_client.get("/admin/")

    numbers = answer.context["numbers"]
    assert (numbers.people, numbers.live_runs, numbers.sent) == (6, 3, 3)
    assert numbers.events == [("order.completed", 3)]
    assert numbers.late_mails == 0


def test_people_are_found_by_the_beginning_of_any_key(admin_client: Client, stories: Stories) -> None:
    stories(12)
    retired = Contact.objects.get(external_id="u7")
    retired.keys.create(kind="anonymous", value="visit-77")

    def found(term: str) -> set[str]:
        return {
            row.external_id for row in admin_client.get("/admin/contacts/contact/", {"q": term}).context["cl"].queryset
        }

    assert found("U11@EXAMPLE") == {"u11"}
    assert found("visit-") == {"u7"}
    assert found(str(retired.id)) == {"u7"}
    assert found("100%") == set()


def test_mails_events_and_suppressions_are_found_exactly(admin_client: Client, stories: Stories) -> None:
    stories(12)

    def count(path: str, term: str) -> int:
        return admin_client.get(f"/admin/{path}/", {"q": term}).context["cl"].result_count

    assert count("emails/emailsend", " U1@Example.com ") == 1
    assert count("events/event", "order.completed") == 12
    assert count("events/event", "order") == 0
    assert count("preferences/suppression", "bad3@example.com") == 1


def test_a_list_is_narrowed_by_what_its_column_holds(admin_client: Client, stories: Stories) -> None:
    stories(3)
    JourneyRun.objects.filter(contact__external_id="u1").update(journey_id="welcome")

    answer = admin_client.get("/admin/journeys/journeyrun/", {"journey_id": "welcome"})

    assert [run.journey_id for run in answer.context["cl"].queryset] == ["welcome"]
    assert values_in_use(JourneyRun, "journey_id") == ["first-order", "welcome"]


def test_a_persons_page_tells_the_whole_story(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)

    answer = admin_client.get(address(Contact, "change", run.contact_id))

    assert {happening.kind for happening in answer.context["story"]} == {"event", "send", "run", "skip", "consent"}


def test_a_runs_page_tells_what_it_waits_for(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)

    page = admin_client.get(address(JourneyRun, "change", run.id)).content.decode()

    assert re.search(r"Waits at\s+<span[^>]*>enjoying-it</span>", page)
    assert "2026-03-15 12:00:00" in page
    assert "order.completed" in page
    assert reverse("admin:emails_emailsend_change", args=[EmailSend.objects.get(run_id=run.id).id]) in page


def test_a_failed_runs_page_shows_the_error(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)
    JourneyRun.objects.filter(id=run.id).update(status="failed", error="ValueError: <no>")

    page = admin_client.get(address(JourneyRun, "change", run.id)).content.decode()

    assert "ValueError: &lt;no&gt;" in page
    assert "Cancel run" not in page


def test_the_page_of_a_mail_that_was_not_sent_says_why(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)
    EmailSend.objects.filter(run_id=run.id).update(status="skipped", reason="unsubscribed", html="", text="")

    page = admin_client.get(address(EmailSend, "change", EmailSend.objects.get(run_id=run.id).id)).content.decode()

    assert "This mail was not sent:</strong> unsubscribed from all mail." in page
    assert "It was never rendered." in page


def test_the_preview_of_a_mail_runs_nothing_and_counts_nothing(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)

    page = admin_client.get(address(EmailSend, "change", EmailSend.objects.get(run_id=run.id).id)).content.decode()

    frame = re.search(r"<iframe[^>]*>", page)
    assert frame
    assert re.search(r"\ssandbox(\s|>)", frame[0]), "no sandbox attribute, or one with allowances"
    shown = html.unescape(re.search(r'srcdoc="([^"]*)"', frame[0])[1])
    assert shown.index("Content-Security-Policy") < shown.index("<script>")
    assert "/v1/t/o/" not in shown
    assert " href=" not in shown
    assert "<script>document" not in page.replace(frame[0], "")


class SmallScale(EstimatingPaginator):
    exact_until = 20


def test_big_tables_are_estimated_and_small_ones_counted(stories: Stories) -> None:
    stories(30)
    rows = EmailSend.objects.order_by("-id")

    exact, estimate = EstimatingPaginator(rows, 10), SmallScale(rows, 10)

    assert (exact.count, exact.estimated, exact.num_pages) == (30, False, 3)
    assert estimate.count > 20
    assert estimate.estimated
