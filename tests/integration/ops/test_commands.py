import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django_celery_beat.models import PeriodicTask

from emails.definitions import Email
from emails.definitions import registry as emails
from events.models import Event
from hogsend.api.keys import create_key, hash_key
from hogsend.api.models import ApiKey
from ops import probes
from ops.tasks import heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return what it printed."""

    def call(*arguments: str) -> str:
        call_command(*arguments)
        return capsys.readouterr().out

    return call


def test_content_names_what_was_found_and_where(run: Run) -> None:
    with emails.scratch():
        Email("hello-there", category="journey", name="Hello")

        listed = run("content")
        documents = json.loads(run("content", "--json"))

    [hello] = [item for item in documents if item["id"] == "hello-there"]
    assert (hello["kind"], hello["name"], hello["detail"]) == ("emails", "Hello", "category journey")
    assert hello["file"] == "tests/integration/ops/test_commands.py"
    assert hello["line"] > 0
    assert f"{hello['file']}:{hello['line']}" in listed


def test_a_new_key_is_printed_once_and_stored_as_a_fingerprint(run: Run) -> None:
    printed = run("create_api_key", "--name", "web shop", "--scope", "ingest", "--scope", "read")

    key = ApiKey.objects.get()
    assert key.key_hash == hash_key(printed.strip())
    assert (key.name, key.scopes, key.expires_at) == ("web shop", ["ingest", "read"], None)


def test_a_key_may_end_and_be_printed_as_json(run: Run) -> None:
    document = json.loads(
        run("create_api_key", "--name", "shop", "--scope", "ingest", "--expires", "2099-01-31T00:00:00Z", "--json")
    )

    assert document["expiresAt"] == "2099-01-31T00:00:00.000Z"
    assert ApiKey.objects.get().expires_at == datetime(2099, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize("end", ["tomorrow", "2099-01-31T00:00:00", "2099-02-31T00:00:00Z", "2001-01-01T00:00:00Z"])
def test_an_end_that_makes_no_sense_is_refused(run: Run, end: str) -> None:
    with pytest.raises(CommandError, match="--expires is"):
        run("create_api_key", "--name", "shop", "--scope", "ingest", "--expires", end)

    assert not ApiKey.objects.exists()


def test_a_scope_that_does_not_exist_is_refused(run: Run) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'everything'"):
        run("create_api_key", "--name", "shop", "--scope", "everything")


@pytest.mark.django_db(transaction=True)
def test_an_event_is_recorded_in_this_process(run: Run) -> None:
    document = json.loads(
        run(
            "send_event",
            "order.completed",
            "--user-id",
            "ada",
            "--prop",
            "cds=2",
            "--prop",
            "shop=Cork",
            "--timestamp",
            "2026-01-02T03:04:05Z",
        )
    )

    event = Event.objects.get(name="order.completed")
    assert document["stored"] is True
    assert (event.name, event.properties, event.contact.external_id) == (
        "order.completed",
        {"cds": 2, "shop": "Cork"},
        "ada",
    )
    assert event.occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_the_same_idempotency_key_stores_once(run: Run) -> None:
    arguments = ("send_event", "order.completed", "--user-id", "ada", "--idempotency-key", "k1")
    run(*arguments)

    again = json.loads(run(*arguments))

    assert again["stored"] is False
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_is_sent_over_http(run: Run, live_server) -> None:
    _, secret = create_key(name="shop", scopes=["ingest"])
    over_http = ("--url", live_server.url, "--key", secret)

    document = json.loads(run("send_event", "order.completed", "--email", "ada@example.com", *over_http))

    assert document["stored"] is True
    assert Event.objects.get().contact.email == "ada@example.com"


@pytest.mark.django_db(transaction=True)
def test_the_stack_of_this_directory_is_known_and_no_other_gets_its_key(
    run: Run, live_server, settings, tmp_path
) -> None:
    settings.HOGSEND_STATE_DIR = tmp_path
    run("bootstrap", "--state-file", str(tmp_path / "dev.json"), "--base-url", live_server.url)

    document = json.loads(run("send_event", "order.completed", "--user-id", "ada", "--url", f"{live_server.url}/"))

    assert document["stored"] is True
    with pytest.raises(CommandError, match="give --key"):
        run("send_event", "order.completed", "--user-id", "ada", "--url", "http://127.0.0.1:1")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_over_http_is_a_sentence(run: Run, live_server) -> None:
    with pytest.raises(CommandError, match="answered 401: Unauthorized"):
        run("send_event", "order.completed", "--user-id", "ada", "--url", live_server.url, "--key", "nonsense")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["order.completed"], "Say whose event it is"),
        (["bucket:entered:x", "--user-id", "ada"], "reserved for the engine"),
        (["order.completed", "--user-id", "ada", "--prop", "cds"], "write it as name=value"),
        (["order.completed", "--user-id", "ada", "--timestamp", "yesterday"], "timestamp must be"),
        (["order.completed", "--user-id", "ada", "--url", "http://127.0.0.1:1", "--key", "k"], "could not be reached"),
    ],
)
def test_what_is_not_an_event_is_refused_and_stores_nothing(run: Run, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("send_event", *arguments)

    assert not Event.objects.exists()


def test_a_failure_can_be_read_by_scripts(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("send_event", "order.completed", "--json")

    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["error"].startswith("Say whose event it is")


def findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[bool, dict[str, str]]:
    well = True
    try:
        call_command("doctor", "--json", *arguments)
    except SystemExit as ended:
        well = ended.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is well
    return well, {finding["part"]: finding["level"] for finding in document["findings"]}


@pytest.fixture
def well(settings, tmp_path) -> None:
    """An installation that lacks nothing."""
    settings.EMAIL_BACKEND = "emails.mailbox.MailboxBackend"
    settings.HOGSEND_OUTBOX_DIR = tmp_path / "outbox"
    settings.API_PUBLIC_URL = "https://mail.example.com"
    call_command("bootstrap", state_file=tmp_path / "dev.json", no_credentials=True)
    heartbeat()


def test_the_doctor_finds_nothing_where_nothing_ails(well: None, capsys) -> None:
    capsys.readouterr()

    fine, levels = findings(capsys)

    assert fine
    assert set(levels.values()) == {"ok"}
    assert " ".join(levels) == "database redis migrations worker beat journeys mail outbox public url secret key"


def test_the_doctor_misses_workers_schedules_and_redis(well: None, capsys, settings, tmp_path) -> None:
    probes._redis().delete(probes.HEARTBEAT_KEY)
    PeriodicTask.objects.filter(name="Deliver mail that waits").delete()
    settings.HOGSEND_OUTBOX_DIR = tmp_path / "dev.json" / "not-a-directory"
    (tmp_path / "dev.json").write_text("")
    settings.PRODUCTION, settings.API_PUBLIC_URL = True, "http://127.0.0.1:8000"
    capsys.readouterr()

    _, levels = findings(capsys)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    _, without_redis = findings(capsys)

    assert {part for part, level in levels.items() if level == "problem"} == {"worker", "beat", "outbox", "public url"}
    assert without_redis["redis"] == "problem"


@pytest.mark.parametrize(
    ("backend", "level"),
    [
        ("django.core.mail.backends.smtp.EmailBackend", "problem"),
        ("no.such.Backend", "problem"),
        ("anymail.backends.postmark.EmailBackend", "ok"),
    ],
)
def test_the_doctor_tries_the_mail_backend(well: None, capsys, settings, backend: str, level: str) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = backend, "127.0.0.1", 1
    capsys.readouterr()

    assert findings(capsys)[1]["mail"] == level


@pytest.mark.django_db(transaction=True)
def test_the_doctor_examines_a_running_stack(capsys, live_server) -> None:
    heartbeat()

    fine, levels = findings(capsys, "--url", live_server.url)

    assert fine
    assert set(levels) == {"api", "database", "redis", "worker", "schema engine", "schema client"}


def test_the_doctor_says_when_nobody_answers(capsys) -> None:
    assert findings(capsys, "--url", "http://127.0.0.1:1") == (False, {"api": "problem"})
