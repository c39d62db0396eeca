"""What journeys tell PostHog arrives once, whatever happens on the way."""

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contacts.actions import erase_contact
from contacts.models import Contact
from hogsend.authoring import hours, journey
from journeys.actions.capture import Delivered, deliver_captures, note_capture
from journeys.actions.lease import database_now
from journeys.models import Capture, JourneyStep, RunStatus
from tests import people

pytestmark = pytest.mark.django_db

KEY = "phc_secret"


@dataclass
class Project:
    """A project in PostHog: what it was told; a test may say how it answers."""

    events: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    answer: Callable[[list[dict[str, Any]]], int] = lambda _: 200
    arrived: threading.Event = field(default_factory=threading.Event)

    def take(self, batch: list[dict[str, Any]]) -> int:
        self.requests += 1
        self.arrived.set()
        status = self.answer(batch)
        if status == 200:
            self.events += batch
        return status


@pytest.fixture
def project(settings):
    told = Project()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
            assert (self.path, sent["api_key"]) == ("/batch/", KEY)
            self.send_response(told.take(sent["batch"]))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = KEY, f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def notes(person: Contact, name: str, **properties: Any) -> None:
    note_capture(person.id, name=name, properties=properties, now=database_now())


def deliver(*, later: timedelta = timedelta(0)) -> Delivered:
    return deliver_captures(now=database_now() + later)


def test_an_event_is_handed_over_once_with_a_stable_id(world, project):
    @journey(id="teller", trigger="go")
    def teller(user, ctx):
        ctx.posthog.capture("journey step", {"step": 1})
        ctx.sleep(hours(1))

    world.event(world.person(), "go")
    world.advance()
    capture = Capture.objects.get()
    world.wake()

    done = deliver()

    assert done == Delivered(sent=1)
    [event] = project.events
    assert (event["event"], event["distinct_id"], event["uuid"]) == ("journey step", "ada", str(capture.id))
    assert event["properties"] == {"$geoip_disable": True, "step": 1}
    assert event["timestamp"] == capture.occurred_at.isoformat()
    assert JourneyStep.objects.get(kind="capture").result == {"capture": str(capture.id), "reason": ""}
    assert not Capture.objects.exists()
    assert deliver() == Delivered()


def test_without_a_key_nothing_is_told_and_the_journal_says_so(world):
    @journey(id="teller", trigger="go")
    def teller(user, ctx):
        ctx.posthog.capture("journey step")
        ctx.identify(plan="pro")

    world.event(world.person(), "go")

    world.advance()

    assert world.run().status == RunStatus.COMPLETED
    assert not Capture.objects.exists()
    result = JourneyStep.objects.get(kind="capture").result
    assert result == {"capture": "", "reason": "POSTHOG_API_KEY is not set, so PostHog hears nothing."}
    assert deliver() == Delivered()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("",), "ctx.posthog.capture needs a name of 1 to 200 characters"),
        ((7,), "ctx.posthog.capture needs a name of 1 to 200 characters"),
        (("x", {"at": object()}), "What ctx.posthog.capture('x') was given is not JSON"),
    ],
)
def test_what_cannot_be_told_is_refused_with_a_sentence(world, arguments, sentence):
    @journey(id="wrong", trigger="go")
    def wrong(user, ctx):
        ctx.posthog.capture(*arguments)

    world.event(world.person(), "go")

    world.advance()

    assert sentence in world.run().error


def test_two_events_of_one_name_need_a_key(world, project):
    @journey(id="teller", trigger="go")
    def teller(user, ctx):
        ctx.posthog.capture("x")
        ctx.posthog.capture("x", key="again")
        ctx.posthog.capture("x")

    world.event(world.person(), "go")

    world.advance()

    assert "DuplicateStepKeyError" in world.run().error
    assert Capture.objects.count() == 2


def test_what_posthog_does_not_take_is_kept_with_the_reason_and_told_again_after_a_pause(project):
    notes(people.ada(), "first")
    notes(people.ben(), "second")
    project.answer = lambda _: 503

    assert deliver() == Delivered(failed=2)

    kept = Capture.objects.order_by("id")
    assert [(row.attempts, row.error[:4]) for row in kept] == [(1, "503:")] * 2
    assert KEY not in kept[0].error
    project.answer = lambda _: 200
    assert deliver() == Delivered()
    assert deliver(later=timedelta(seconds=5)) == Delivered(sent=2)
    assert [event["event"] for event in project.events] == ["first", "second"]


def test_one_event_that_posthog_finds_fault_with_holds_up_no_other(project):
    ada = people.ada()
    for number in range(10):
        notes(ada, f"event {number}")
    project.answer = lambda batch: 400 if any(event["event"] == "event 3" for event in batch) else 200

    done = deliver()

    assert done == Delivered(sent=9, failed=1)
    assert Capture.objects.get().name == "event 3"


def test_a_property_that_was_held_up_does_not_overwrite_a_younger_one(project):
    ada = people.ada(plan="trial", seats=3)
    notes(ada, "$set", **{"$set": {"plan": "trial", "gone": True}})
    Contact.objects.filter(id=ada.id).update(properties={"plan": "pro", "seats": 3})

    deliver()

    assert project.events[0]["event"] == "$set"
    assert project.events[0]["properties"] == {"$geoip_disable": True, "$set": {"plan": "pro"}, "$unset": ["gone"]}


def test_nothing_more_is_told_of_somebody_who_was_erased(project):
    ada = people.ada()
    notes(ada, "first")

    erase_contact(contact_id=ada.id, now=database_now())

    assert deliver() == Delivered()
    assert project.requests == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(60)
def test_of_two_who_deliver_at_once_one_tells_and_the_other_leaves_it_to_them(project, in_thread):
    notes(people.ada(), "first")
    go_on = threading.Event()
    project.answer = lambda _: 200 if go_on.wait(20) else 500

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(in_thread(deliver))
        assert project.arrived.wait(20)
        second = deliver()
        notes(people.ada(), "second")
        go_on.set()

    assert (second, first.result()) == (Delivered(), Delivered(sent=1))
    assert Capture.objects.get().name == "second"
    assert project.requests == 1
