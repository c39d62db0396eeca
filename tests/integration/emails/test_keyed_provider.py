"""A provider that recognises a repeated hand-over: what may have been accepted is asked again, with the same key and bytes."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

import pytest

from emails.actions import deliver_due, reclaim_lost
from emails.models import EmailSend
from preferences.models import Preference

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=5)


class Request(NamedTuple):
    path: str
    key: str
    body: bytes


class Api:
    """Resend's API as far as we use it. ``answers`` are status codes in turn, or "drop"; then 200."""

    def __init__(self) -> None:
        self.answers: list[int | str] = []
        self.headers: dict[str, str] = {}
        self.requests: list[Request] = []


@pytest.fixture
def api(settings):
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            api.requests.append(Request(self.path, self.headers["Idempotency-Key"], body))
            answer = api.answers.pop(0) if api.answers else 200
            if answer == "drop":
                self.close_connection = True
                return
            words = json.dumps({"id": "re_1"} if answer == 200 else {"message": "why"}).encode()
            self.send_response(answer)
            for name, value in {
                **api.headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(words)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    settings.ANYMAIL = {"RESEND_API_KEY": "re_secret", "RESEND_API_URL": f"http://127.0.0.1:{server.server_port}/"}
    yield api
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_send_id_is_the_key(api, queued, now):
    send = queued()

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.provider_message_id) == ("sent", "re_1")
    ((path, key, body),) = api.requests
    told = json.loads(body)
    assert (path, key) == ("/emails", str(send.id))
    assert (told["to"], told["subject"], told["html"], told["text"]) == (
        ["ada@example.com"],
        send.subject,
        send.html,
        send.text,
    )
    assert told["headers"]["List-Unsubscribe"] == send.headers["List-Unsubscribe"]
    assert told["headers"]["Message-ID"] == f"<{send.id}@shop.example>"
    assert json.loads(told["headers"]["X-Metadata"]) == {"send_id": str(send.id)}


@pytest.mark.parametrize("answer", ["drop", 500, 503])
def test_what_may_have_been_accepted_is_asked_again_with_the_same_bytes(api, queued, now, answer):
    send = queued()
    api.answers = [answer]

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.attempts) == ("queued", 1)
    assert send.provider_started_at
    deliver_due(now=send.send_after)
    first, second = api.requests
    assert first == second
    send.refresh_from_db()
    assert (send.status, send.provider_message_id) == ("sent", "re_1")


def test_asking_again_ends_before_the_provider_forgets(api, queued, now):
    send = queued()
    api.answers = ["drop"]
    deliver_due(now=now)

    deliver_due(now=now + timedelta(hours=23, minutes=1))

    send.refresh_from_db()
    assert (send.status, len(api.requests)) == ("unknown", 1)


def test_a_message_that_may_have_arrived_is_not_called_skipped(api, queued, person, now):
    ada = person()
    send = queued(ada)
    api.answers = ["drop"]
    deliver_due(now=now)
    Preference.objects.create(contact=ada, unsubscribed_all=True)

    deliver_due(now=now + LATER)

    send.refresh_from_db()
    assert (send.status, send.reason, len(api.requests)) == ("unknown", "", 1)


def test_a_message_that_may_have_arrived_is_never_given_up_as_failed(api, queued, now):
    send = queued()
    api.answers = ["drop", *[429] * 20]
    for _ in range(12):
        deliver_due(now=now)
        send.refresh_from_db()
        now = max(now, send.send_after)

    assert (send.status, send.reason, send.attempts) == ("unknown", "", 10)


def test_a_lost_worker_of_such_a_provider_costs_nothing(api, queued, now):
    send = queued()
    EmailSend.objects.update(status="sending", claimed_until=now, provider_started_at=now, attempts=1)

    assert reclaim_lost(now=now + LATER) == 1
    assert deliver_due(now=now + LATER) == 1

    send.refresh_from_db()
    assert (send.status, len(api.requests)) == ("sent", 1)


def test_a_worker_lost_longer_than_the_provider_remembers_leaves_it_unknown(api, queued, now):
    send = queued()
    EmailSend.objects.update(status="sending", claimed_until=now, provider_started_at=now, attempts=1)

    assert reclaim_lost(now=now + timedelta(hours=23)) == 1

    send.refresh_from_db()
    assert send.status == "unknown"


def test_another_provider_does_not_repeat_what_this_one_may_have(api, sink, queued, settings, now):
    send = queued()
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    api.answers = ["drop"]
    deliver_due(now=now)

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    deliver_due(now=now + LATER)

    send.refresh_from_db()
    assert (send.status, sink.came_in) == ("unknown", [])


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_request_the_provider_refuses_is_refused(api, queued, now, status):
    send = queued()
    api.answers = [status]

    deliver_due(now=now)

    send.refresh_from_db()
    assert (send.status, send.reason) == ("failed", "refused")
    assert "why" in send.error
    assert "re_secret" not in send.error


def test_a_provider_that_asks_for_time_gets_it_and_the_rest_waits_too(api, queued, person, now):
    sends = [queued(person(name)) for name in ("ada", "ben")]
    api.answers, api.headers = [429], {"Retry-After": "600"}

    deliver_due(now=now)

    ada, ben = (EmailSend.objects.get(id=send.id) for send in sends)
    assert (ada.status, ada.attempts, ada.provider_started_at) == ("queued", 1, None)
    assert (ben.status, ben.attempts, len(api.requests)) == ("queued", 0, 1)
    assert min(ada.send_after, ben.send_after) >= now + timedelta(minutes=10)


def test_a_rejected_key_of_ours_does_not_fail_the_mail(api, queued, now):
    send = queued()
    api.answers = [401]

    assert deliver_due(now=now) == 0

    send.refresh_from_db()
    assert send.status == "queued"
