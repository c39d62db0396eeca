"""What could not become an event is kept as it came, and goes the same way again when somebody says so."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.urls import reverse

from events.models import DeadLetter, DeadLetterStatus, Event
from events.sources.actions import (
    DeadLetterNotFoundError,
    DeadLetterStateError,
    discard_dead_letter,
    erase_from_dead_letters,
    forget_dead_letters,
    retry_dead_letter,
)
from events.sources.definitions import Incoming, InvalidPayloadError, WebhookEvent, WebhookSource, registry
from events.tasks import forget_settled_dead_letters
from hogsend.lib.ids import new_id

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

SECRET = "s3cret"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
behaviour: list[Exception | WebhookEvent | list[WebhookEvent] | object] = []


def translate(incoming: Incoming):
    """Do what the test wants of the moment."""
    if isinstance(behaviour[-1], Exception):
        raise behaviour[-1]
    return behaviour[-1]


@pytest.fixture(autouse=True)
def shop(settings) -> Iterator[WebhookSource]:
    settings.WEBHOOK_SECRETS = {"SHOP_WEBHOOK_SECRET": SECRET}
    behaviour[:] = [RuntimeError("no such field: naïve")]
    with registry.scratch():
        yield WebhookSource("shop", secret="SHOP_WEBHOOK_SECRET", translate=translate)


@pytest.fixture
def send(client):
    def deliver(body: object = b'{ "order": "\xc3\xa9" }'):
        headers = {"X-Webhook-Secret": SECRET, "X-Shop-Topic": "orders", "X-Shop-Signature": "abc"}
        return client.post("/v1/webhooks/shop", body, content_type="application/json", headers=headers)

    return deliver


@pytest.fixture
def letter(send) -> DeadLetter:
    """One that lies because the translator had a fault, which has been corrected since."""
    send()
    behaviour.append(WebhookEvent("order.completed", user_id="eve"))
    return DeadLetter.objects.get()


def test_a_translator_with_a_fault_costs_nothing(send):
    answer = send()

    letter = DeadLetter.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "deadLetter": str(letter.id)})
    assert (letter.source_id, letter.payload, letter.status, letter.attempts) == ("shop", '{ "order": "é" }', "open", 1)
    assert letter.error == "RuntimeError: no such field: naïve"
    assert "in translate" in letter.trace
    assert letter.headers == {"content-type": "application/json", "x-shop-topic": "orders"}


@pytest.mark.parametrize(
    "returned",
    [
        {"name": "n"},
        "n",
        7,
        [WebhookEvent("n", user_id="eve"), {"name": "n"}],
        WebhookEvent("n", user_id=7),
        WebhookEvent("n", user_id="eve", properties={"a": object()}),
        WebhookEvent("n", user_id="eve", properties={"a": float("nan")}),
        WebhookEvent("n", user_id="eve", properties="abc"),
        WebhookEvent("n", user_id="eve", properties={"a": 10**5000}),
    ],
)
def test_what_a_translator_may_not_return_is_kept_whole(send, returned):
    behaviour.append(returned)

    assert send().json()["deadLetter"] == str(DeadLetter.objects.get().id)
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (WebhookEvent("email.opened", user_id="eve"), "reserved"),
        (WebhookEvent("", user_id="eve"), "1 to 200 characters"),
        (WebhookEvent("n", user_id="e" * 256), "at most 255"),
        (WebhookEvent("n", user_id="eve", properties={"a": "\0"}), "NUL"),
        (WebhookEvent("n\ud800", user_id="eve"), "Malformed JSON"),
        (WebhookEvent("n", user_id="eve", properties={"a": "\ud800"}), "Malformed JSON"),
    ],
)
def test_an_event_that_cannot_be_taken_is_kept_with_the_reason(send, event, sentence):
    behaviour.append(event)

    answer = send()

    letter = DeadLetter.objects.get()
    assert (answer.status_code, answer.json()["deadLetter"]) == (200, str(letter.id))
    assert answer.json()["stored"] is False
    assert sentence in letter.error


@pytest.mark.parametrize("said", ["\0", "\ud800", "x" * 10_000])
def test_whatever_the_error_says_can_be_kept(send, said):
    behaviour.append(RuntimeError(said))

    send()

    assert len(DeadLetter.objects.get().error) <= 500


def test_a_retry_stores_the_event_and_settles_the_letter(letter):
    retried = retry_dead_letter(letter_id=letter.id, now=NOW)

    letter.refresh_from_db()
    assert retried.settled
    assert "events stored now: 1" in retried.sentence
    assert (letter.status, letter.attempts, letter.resolved_at) == (DeadLetterStatus.RETRIED, 2, NOW)
    assert Event.objects.get().name == "order.completed"


def test_a_retry_of_a_delivery_that_came_again_meanwhile_stores_nothing_twice(letter, send):
    behaviour.append(WebhookEvent("order.completed", user_id="eve", idempotency_key="o1"))
    send()

    retried = retry_dead_letter(letter_id=letter.id, now=NOW)

    assert "stored before: 1" in retried.sentence
    assert Event.objects.count() == 1


def test_a_part_that_was_stored_is_not_stored_again(send):
    good, bad = WebhookEvent("a", user_id="eve"), WebhookEvent("contact.a", user_id="eve")
    behaviour.append([good, bad])
    send()
    behaviour.append([good, WebhookEvent("b", user_id="eve")])

    retry_dead_letter(letter_id=DeadLetter.objects.get().id, now=NOW)

    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == ["a", "b"]


@pytest.mark.parametrize("problem", [RuntimeError("again"), InvalidPayloadError("order must be an id.")])
def test_a_retry_that_fails_leaves_the_letter_open(letter, problem):
    behaviour.append(problem)

    retried = retry_dead_letter(letter_id=letter.id, now=NOW)

    letter.refresh_from_db()
    assert not retried.settled
    assert (letter.status, letter.attempts, letter.resolved_at) == ("open", 2, None)
    assert str(problem) in letter.error
    assert letter.error in retried.sentence


def test_a_retry_while_nothing_can_be_stored_leaves_the_letter_open(letter, settings):
    behaviour.append(WebhookEvent("bad", user_id="eve"))
    settings.HOGSEND_EVENT_CONSUMERS = ["tests.integration.events.probes.fail_for_bad"]

    assert not retry_dead_letter(letter_id=letter.id, now=NOW).settled


def test_a_letter_that_the_source_does_not_take_any_more_is_settled(letter):
    behaviour.append(None)

    retried = retry_dead_letter(letter_id=letter.id, now=NOW)

    assert (retried.settled, "left it out" in retried.sentence) == (True, True)


def test_a_letter_whose_source_is_gone_says_what_to_do(letter):
    with registry.scratch():
        registry._items.pop("shop")

        with pytest.raises(DeadLetterStateError, match="Declare it again, or discard"):
            retry_dead_letter(letter_id=letter.id, now=NOW)


def test_a_discarded_letter_stays_discarded(letter):
    discard_dead_letter(letter_id=letter.id, now=NOW)

    with pytest.raises(DeadLetterStateError, match="discarded already"):
        retry_dead_letter(letter_id=letter.id, now=NOW)
    with pytest.raises(DeadLetterStateError, match="discarded already"):
        discard_dead_letter(letter_id=letter.id, now=NOW)
    letter.refresh_from_db()
    assert (letter.status, letter.resolved_at) == ("discarded", NOW)


@pytest.mark.parametrize("action", [retry_dead_letter, discard_dead_letter])
def test_a_letter_that_does_not_exist_is_told(action):
    with pytest.raises(DeadLetterNotFoundError):
        action(letter_id=new_id(), now=NOW)


def kept(**more) -> DeadLetter:
    given = {"source_id": "shop", "payload": "{}", "error": "E", "received_at": NOW}
    return DeadLetter.objects.create(**given | more)


def test_settled_letters_are_forgotten_after_their_time_and_open_ones_never():
    open_one = kept(received_at=NOW - timedelta(days=400))
    young = kept(status="retried", resolved_at=NOW - timedelta(days=29))
    for _ in range(3):
        kept(status="discarded", resolved_at=NOW - timedelta(days=31))

    gone = [forget_dead_letters(older_than=timedelta(days=30), now=NOW, limit=2) for _ in range(3)]

    assert gone == [2, 1, 0]
    assert set(DeadLetter.objects.all()) == {open_one, young}


def test_the_task_forgets_all_that_is_old():
    kept(status="retried", resolved_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert forget_settled_dead_letters(limit=1) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"payload": '{"email":"Eve@Example.com"}'},
        {"payload": '{"text":"from eve\\u0040example.com"}'},
        {"payload": '{"users":[{"id":"eve-1"}]}'},
        {"payload": '{"users":[{"id":7}]}'},
        {"payload": '{"eve-1":{}}'},
        {"error": "KeyError: 'eve@example.com'"},
    ],
)
def test_an_erased_person_is_in_no_letter(more):
    kept(**more)
    other = kept(payload='{"email":"adam@example.com", "id": "77", "text": "eve-1, 7"}')

    assert erase_from_dead_letters(emails=["eve@example.com"], ids=["eve-1", "7"]) == 1
    assert DeadLetter.objects.get() == other


def press(client, button: str, letter: DeadLetter) -> str:
    answer = client.post(reverse(f"admin:events_deadletter_{button}", args=[letter.id]), follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_staff_retries_with_a_button(admin_client, letter):
    said = press(admin_client, "retry", letter)

    letter.refresh_from_db()
    assert (letter.status, "It was delivered" in said) == ("retried", True)


def test_staff_reads_why_a_retry_failed(admin_client, letter):
    behaviour.append(RuntimeError("again"))

    assert "stays open: RuntimeError: again" in press(admin_client, "retry", letter)


def test_staff_discards_with_a_button(admin_client, letter):
    press(admin_client, "discard", letter)
    again = press(admin_client, "discard", letter)

    letter.refresh_from_db()
    assert (letter.status, "discarded already" in again) == ("discarded", True)


@pytest.mark.parametrize("button", ["retry", "discard"])
def test_buttons_take_posts_of_those_who_may(client, admin_client, letter, button):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    address = reverse(f"admin:events_deadletter_{button}", args=[letter.id])
    looked = admin_client.get(address)
    client.force_login(viewer)

    refused = client.post(address)

    letter.refresh_from_db()
    assert (looked.status_code, refused.status_code, letter.status) == (405, 403, "open")
    assert b"Discard</button>" not in client.get(reverse("admin:events_deadletter_change", args=[letter.id])).content


def test_a_button_on_a_letter_that_is_gone_finds_nothing(admin_client, letter):
    letter_id = letter.id
    letter.delete()

    assert admin_client.post(reverse("admin:events_deadletter_retry", args=[letter_id])).status_code == 404


def test_the_page_shows_the_payload_and_runs_nothing_of_it(admin_client, letter):
    DeadLetter.objects.filter(id=letter.id).update(payload='{"order": "<script>alert(1)</script>"}')

    page = admin_client.get(reverse("admin:events_deadletter_change", args=[letter.id])).content

    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert b"<script>alert(1)" not in page
    assert b"Discard</button>" in page


def test_the_lists_of_letters_and_skips_open(admin_client, letter, send):
    behaviour.append(None)
    send()

    for model in ("deadletter", "webhookskip"):
        page = admin_client.get(reverse(f"admin:events_{model}_changelist"))
        assert page.context["cl"].result_count == 1
    row = page.context["cl"].result_list[0]
    assert (
        b"the source does not take it"
        in admin_client.get(reverse("admin:events_webhookskip_change", args=[row.id])).content
    )


@pytest.fixture
def run(capsys):
    def call(*arguments: str) -> str:
        call_command("dead_letters", *arguments)
        return capsys.readouterr().out

    return call


def test_the_command_lists_what_is_open(run, letter):
    kept(status="retried", resolved_at=NOW)
    kept(source_id="other")

    lines, [document] = run("list"), json.loads(run("list", "--source", "shop", "--json"))

    assert len(lines.splitlines()) == 2
    assert str(letter.id) in lines
    assert (document["id"], document["payload"], document["attempts"]) == (str(letter.id), letter.payload, 1)
    assert "no dead letter that is discarded" in run("list", "--status", "discarded")


def test_the_command_retries_and_says_what_came_of_it(run, letter):
    [result] = json.loads(run("retry", str(letter.id), "--json"))

    assert result["settled"] is True
    assert Event.objects.count() == 1


def test_the_command_fails_when_something_stays_open(run, letter, capsys):
    behaviour.append(RuntimeError("again"))

    with pytest.raises(SystemExit):
        run("retry", "--all")
    assert "stays open" in capsys.readouterr().out


def test_the_command_discards_all_of_one_source(run, letter):
    other = kept(source_id="other")

    run("discard", "--all", "--source", "shop")

    assert DeadLetter.objects.get(status="open") == other


@pytest.mark.parametrize("arguments", [["retry"], ["discard", str(new_id()), "--all"]])
def test_the_command_wants_to_know_which(run, arguments):
    with pytest.raises(CommandError, match="--all"):
        run(*arguments)
