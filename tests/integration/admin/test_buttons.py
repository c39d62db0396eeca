"""What staff can press, and what it does."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hogsend.api.keys import create_key, hash_key
from hogsend.api.models import ApiKey
from journeys.models import JourneyRun, RunStatus, Wakeup

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

Stories = Callable[[int], list[JourneyRun]]


def press(client: Client, button: str, row_id: object) -> str:
    answer = client.post(reverse(f"admin:{button}", args=[row_id]), follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_a_cancelled_run_has_left_and_will_not_wake(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)

    said = press(admin_client, "journeys_journeyrun_cancel", run.id)

    run.refresh_from_db()
    assert (run.status, run.exit_reason) == (RunStatus.EXITED, "cancelled by admin")
    assert not Wakeup.objects.filter(run=run).exists()
    assert said == "The run has left its journey."
    assert LogEntry.objects.get().object_id == str(run.id)


def test_a_run_that_has_ended_cannot_be_cancelled(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)
    JourneyRun.objects.filter(id=run.id).update(status=RunStatus.COMPLETED)

    said = press(admin_client, "journeys_journeyrun_cancel", run.id)

    run.refresh_from_db()
    assert run.status == RunStatus.COMPLETED
    assert "ended already" in said


def test_a_failed_run_goes_on(admin_client: Client, stories: Stories) -> None:
    [run] = stories(1)
    JourneyRun.objects.filter(id=run.id).update(status=RunStatus.FAILED, error="ValueError")

    press(admin_client, "journeys_journeyrun_retry", run.id)

    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.ACTIVE, "")


@pytest.mark.parametrize("button", ["journeys_journeyrun_cancel", "journeys_journeyrun_retry", "api_apikey_revoke"])
def test_a_link_presses_no_button(admin_client: Client, stories: Stories, button: str) -> None:
    [run] = stories(1)
    row = ApiKey.objects.get() if button.startswith("api") else run

    answer = admin_client.get(reverse(f"admin:{button}", args=[row.id]))

    assert answer.status_code == 405


@pytest.mark.parametrize("button", ["journeys_journeyrun_cancel", "api_apikey_revoke"])
def test_a_viewer_presses_no_button(client: Client, stories: Stories, button: str) -> None:
    [run] = stories(1)
    row = ApiKey.objects.get() if button.startswith("api") else run
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__in=["view_journeyrun", "view_apikey"]))
    client.force_login(viewer)

    answer = client.post(reverse(f"admin:{button}", args=[row.id]))

    run.refresh_from_db()
    assert answer.status_code == 403
    assert run.status == RunStatus.WAITING
    assert ApiKey.objects.get().revoked_at is None


def test_a_form_from_elsewhere_presses_no_button(stories: Stories, admin_user: User) -> None:
    [run] = stories(1)
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)

    answer = careful.post(reverse("admin:journeys_journeyrun_cancel", args=[run.id]))

    assert answer.status_code == 403


def test_a_new_key_is_shown_once_and_not_stored(admin_client: Client) -> None:
    answer = admin_client.post(
        "/admin/api/apikey/add/", {"name": "web shop", "scopes": ["ingest"], "expires_at_0": "", "expires_at_1": ""}
    )

    key, secret = ApiKey.objects.get(), answer.context["secret"]
    assert key.key_hash == hash_key(secret)
    assert key.scopes == ["ingest"]
    assert secret.encode() in answer.content
    assert "no-store" in answer.headers["Cache-Control"]
    assert secret not in admin_client.cookies.output()
    assert secret.encode() not in admin_client.get(reverse("admin:api_apikey_change", args=[key.id])).content


def test_a_key_without_scope_is_refused(admin_client: Client) -> None:
    answer = admin_client.post("/admin/api/apikey/add/", {"name": "web shop"})

    assert answer.status_code == 200
    assert "scopes" in answer.context["form"].errors
    assert not ApiKey.objects.exists()


def test_a_revoked_key_stays_revoked(admin_client: Client) -> None:
    key, _ = create_key(name="shop", scopes=["ingest"])

    first = press(admin_client, "api_apikey_revoke", key.id)
    key.refresh_from_db()
    at = key.revoked_at
    second = press(admin_client, "api_apikey_revoke", key.id)

    key.refresh_from_db()
    assert at is not None
    assert key.revoked_at == at <= timezone.now()
    assert "is revoked" in first
    assert "had been revoked before" in second
