"""The demo, against the product as it is: HTTP, journeys, mail."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from buckets.models import BucketMembership
from contacts.models import Contact
from content.journeys.first_order import first_order
from emails.models import EmailSend
from emails.tasks import deliver
from events.models import Event
from hogsend.api.keys import create_key
from journeys.definitions import registry
from journeys.models import JourneyRun
from journeys.tasks import advance
from ops.demo.segments import RULES
from preferences.models import Suppression

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]

PEOPLE, LINES = 7, 28
Demo = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _examples() -> None:
    assert registry.get("first-order") is first_order, "the demo needs the worked examples"


@contextmanager
def worker() -> Iterator[None]:
    """Do what workers do, in a thread, until the end of the block."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            advance()
            deliver()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def demo(live_server, capsys: pytest.CaptureFixture[str]) -> Demo:
    """Run the demo with its first few people; return its exit code and report."""
    _, secret = create_key(name="demo", scopes=["ingest"])

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        code = 0
        arguments = ("demo", "--base-url", live_server.url, "--api-key", secret, "--limit", str(PEOPLE), "--json")
        with worker():
            try:
                call_command(*arguments, *options)
            except SystemExit as ended:
                code = int(ended.code or 0)
        return code, json.loads(capsys.readouterr().out)

    return run


def test_every_number_fits_the_file(demo: Demo, mailoutbox) -> None:
    code, report = demo("--batch", "10", "--connections", "2")

    assert code == 0, report
    assert (report["ok"], report["people"], report["events"], report["stored"]) == (True, PEOPLE, LINES, LINES)
    assert [check["ok"] for check in report["checks"]] == [True] * (6 + 2 * len(RULES))
    assert report["runs"] == {"waiting": PEOPLE}
    assert report["sends"] == {"sent": PEOPLE}
    assert Event.objects.filter(name="order.completed").count() == LINES
    assert sorted(message.to[0] for message in mailoutbox) == [
        f"cdnow-{n:05}@example.com" for n in range(1, PEOPLE + 1)
    ]


def test_it_tells_who_is_in_which_bucket_now_and_would_have_been_after_the_last_purchase(demo: Demo) -> None:
    _, report = demo()

    now = {name: bucket["size"] for name, bucket in report["buckets"].items()}
    then = {check["what"]: check["found"] for check in report["checks"] if check["what"].endswith(" on 1998-05-29")}
    assert now == {"dormant-customers": PEOPLE, "about-to-lapse": 0, "big-spenders": 0, "one-time-buyers": 2}
    assert [then[f"{name} on 1998-05-29"] for name in now] == ["5", "1", "1", "2"]
    assert set(report["buckets"]["one-time-buyers"]["newest"]) == {"cdnow-00001", "cdnow-00006"}


def test_who_is_in_a_bucket_and_should_not_be_is_told(demo: Demo) -> None:
    demo()
    BucketMembership.objects.filter(bucket_id="dormant-customers", contact__external_id="cdnow-00003").delete()

    _, report = demo()

    wrong = [(check["what"], check["examples"]) for check in report["checks"] if not check["ok"]]
    assert wrong == [("in dormant-customers", ["cdnow-00003: 1 in the file, 0 found"])]


def test_repeating_it_changes_nothing(demo: Demo, mailoutbox) -> None:
    demo()
    before = list(Event.objects.order_by("seq").values_list("id", "contact_id", "occurred_at"))

    code, report = demo()

    assert (code, report["ok"], report["stored"]) == (0, True, 0)
    assert list(Event.objects.order_by("seq").values_list("id", "contact_id", "occurred_at")) == before
    assert len(mailoutbox) == PEOPLE == JourneyRun.objects.count()


def test_events_of_a_person_arrive_in_the_order_of_the_file(demo: Demo) -> None:
    demo("--batch", "3", "--connections", "4")

    for contact in Contact.objects.all():
        times = list(
            contact.events.filter(name="order.completed").order_by("seq").values_list("occurred_at", flat=True)
        )
        assert times == sorted(times)


def test_a_number_that_does_not_fit_is_told_with_the_person(demo: Demo) -> None:
    Suppression.objects.create(email="cdnow-00003@example.com", suppressed_at="2026-01-01T00:00:00Z")

    code, report = demo()

    wrong = [check for check in report["checks"] if not check["ok"]]
    assert code == 1
    assert report["ok"] is False
    assert [check["what"] for check in wrong] == ["mails first-order accepted"]
    assert (wrong[0]["expected"], wrong[0]["found"]) == (str(PEOPLE), str(PEOPLE - 1))
    assert wrong[0]["examples"] == ["cdnow-00003: 1 in the file, 0 found"]
    assert EmailSend.objects.get(status="skipped").reason == "suppressed"


def test_a_key_that_may_not_ingest_is_a_sentence(live_server) -> None:
    _, secret = create_key(name="reader", scopes=["read"])

    with pytest.raises(CommandError, match=r"does not take events.*403"):
        call_command("demo", "--base-url", live_server.url, "--api-key", secret, "--limit", "1")

    assert not Event.objects.exists()


def test_without_a_key_it_says_where_to_get_one(tmp_path) -> None:
    with pytest.raises(CommandError, match="give --api-key, or start the stack"):
        call_command("demo", "--state-dir", str(tmp_path))
