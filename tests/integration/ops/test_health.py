import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from ops import probes
from ops.tasks import heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

Start = Callable[..., subprocess.Popen[str]]
NOBODY = "redis://127.0.0.1:1/0"
ASK = """
import json, os, time, django
django.setup()
from django.test import Client
client = Client()
client.get("/healthz")
before = time.monotonic()
answer = client.get("/v1/health")
took = time.monotonic() - before
ready = client.get("/readyz")
print(json.dumps([answer.status_code, answer.json(), took, ready.status_code, ready.json(), client.get("/healthz").status_code]))
os.sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        for one in held:
            one.close()
        listener.shutdown(socket.SHUT_RDWR)


def test_health_has_the_shape_of_the_contract(client: Client) -> None:
    answer = client.get("/v1/health")

    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["status", "uptime", "timestamp", "version", "components", "schema"]
    assert body["status"] == "healthy"
    assert isinstance(body["uptime"], float)
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert body["version"] == "0.0.1"
    assert set(body["components"]) == {"database", "redis", "worker"}
    for part in ("database", "redis"):
        assert body["components"][part] == {"status": "up", "latencyMs": body["components"][part]["latencyMs"]}
        assert type(body["components"][part]["latencyMs"]) is int
    assert body["schema"]["engine"]["inSync"] is True
    assert body["schema"]["engine"]["applied"] == body["schema"]["engine"]["required"]
    assert body["schema"]["client"] == {"applied": None, "required": None, "inSync": True, "pending": []}


def test_health_is_open_and_carries_the_shell(client: Client) -> None:
    answer = client.get("/v1/health", headers={"authorization": "Bearer nonsense", "x-request-id": "my-request"})

    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"] == "my-request"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("path", ["/health", "/v1/healthy"])
def test_other_paths_are_lost(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_a_worker_is_up_while_its_beat_is_fresh(client: Client) -> None:
    probes._redis().delete(probes.HEARTBEAT_KEY)
    before = client.get("/v1/health").json()["components"]["worker"]

    heartbeat()

    after = client.get("/v1/health").json()["components"]["worker"]
    assert before == {"status": "down"}
    assert after["status"] == "up"
    assert abs(datetime.fromisoformat(after["lastSeenAt"]) - datetime.now(UTC)).total_seconds() < 5
    assert 0 < probes._redis().ttl(probes.HEARTBEAT_KEY) <= 30


def test_without_redis_the_api_is_degraded_and_not_ready(client: Client, settings) -> None:
    settings.REDIS_URL = NOBODY

    health, ready, alive = client.get("/v1/health"), client.get("/readyz"), client.get("/healthz")

    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["components"]["redis"]["status"] == "down"
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["Redis does not answer; check REDIS_URL and that Redis or Valkey runs."]
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})


def test_a_silent_redis_is_down_after_the_deadline(client: Client, settings, silent: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent}/0"

    part = client.get("/v1/health").json()["components"]["redis"]

    assert part["status"] == "down"
    assert 1000 <= part["latencyMs"] < 4000


def test_a_ready_process_says_so(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_pending_migrations_are_counted_for_strangers_and_named_for_staff(client: Client, django_user_model) -> None:
    MigrationRecorder(connection).record_unapplied("tracking", "0001_initial")
    staff = Client()
    staff.force_login(django_user_model.objects.create(username="staff", is_staff=True))

    told, named, ready = client.get("/v1/health").json(), staff.get("/v1/health").json(), client.get("/readyz")

    assert told["status"] == "migration_pending"
    assert told["schema"]["engine"]["pending"] == []
    assert int(told["schema"]["engine"]["required"]) - int(told["schema"]["engine"]["applied"]) == 1
    assert named["schema"]["engine"]["pending"] == ["tracking.0001_initial"]
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["1 migration has not been applied; run `manage.py migrate`."]


def test_migrations_are_not_read_again_once_in_sync(client: Client, django_assert_num_queries) -> None:
    client.get("/v1/health")

    with django_assert_num_queries(0):
        client.get("/v1/health")


@pytest.mark.parametrize("kind", ["refusing", "silent"])
def test_a_database_that_is_away_makes_health_degraded_and_never_slow(start: Start, silent: int, kind: str) -> None:
    port = silent if kind == "silent" else 1
    process = start(
        "-c",
        ASK,
        DATABASE_URL=f"postgres://app@127.0.0.1:{port}/none",
        DJANGO_SETTINGS_MODULE="hogsend.settings",
        LOG_LEVEL="error",
    )

    output, errors = process.communicate(timeout=60)

    status, body, took, ready, reasons, alive = json.loads(output.splitlines()[-1]) if output else pytest.fail(errors)
    assert (status, body["status"], body["components"]["database"]["status"]) == (200, "degraded", "down")
    assert body["schema"]["engine"] == {"applied": None, "required": None, "inSync": False, "pending": []}
    assert took < 4
    assert ready == 503
    assert reasons["reasons"] == ["The database does not answer; check DATABASE_URL and that PostgreSQL runs."]
    assert alive == 200


def test_the_root_address_shows_where_to_go(client: Client, settings) -> None:
    settings.EMAIL_BACKEND = "emails.mailbox.MailboxBackend"
    with_mailbox = client.get("/").content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

    without = client.get("/").content.decode()

    assert 'href="/admin/"' in with_mailbox
    assert 'href="/outbox/"' in with_mailbox
    assert 'href="/outbox/"' not in without
