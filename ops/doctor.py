"""Examine every part of an installation and say what to do about what ails it."""

import tempfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.mail import get_connection
from django.db import connection
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask

from hogsend.celery import BEAT
from journeys.queries import ParkedRuns, parked_runs
from ops.queries import Condition, condition

MAILBOX = "emails.mailbox.MailboxBackend"
MAIL_DEADLINE = 3  # seconds
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104 - compared with, not listened on
KEY_LENGTH = 32
OLDEST_SERVER = 14


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found. ``level`` is ok, warning or problem; only problems make the patient ill."""

    part: str
    level: str
    sentence: str


def ok(part: str, sentence: str) -> Finding:
    """Report that a part is well."""
    return Finding(part, "ok", sentence)


def warning(part: str, sentence: str) -> Finding:
    """Report what is fine here but would not be elsewhere."""
    return Finding(part, "warning", sentence)


def problem(part: str, sentence: str) -> Finding:
    """Report what must be mended, and how."""
    return Finding(part, "problem", sentence)


def examine() -> list[Finding]:
    """Examine this process's own installation."""
    found = condition()
    can_read = found.database.up and not found.tracks["engine"].pending
    return [
        *_engines(found),
        *(_migrations(found) if found.database.up else []),
        _worker(found),
        *([_beat(found)] if can_read else []),
        *(_journeys() if can_read else []),
        _mail(),
        *([_outbox()] if settings.EMAIL_BACKEND == MAILBOX else []),
        _public_url(),
        _secret_key(),
    ]


def examine_remote(url: str) -> list[Finding]:
    """Examine a running stack by what its ``/v1/health`` says."""
    address = f"{url.rstrip('/')}/v1/health"
    try:
        response = requests.get(address, timeout=10)
        document: dict[str, Any] = response.json()
        components = document["components"]
        schema = document["schema"]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        said = f"{address} does not answer as Hogsend does; check the address and that it runs. ({error})"
        return [problem("api", said)]
    return [
        ok("api", f"{address} answers {document['status']}."),
        *(
            ok(name, f"{name} is up.") if part["status"] == "up" else problem(name, f"{name} is {part['status']}.")
            for name, part in components.items()
        ),
        *(
            ok(f"schema {name}", "In sync with the code.")
            if track["inSync"]
            else problem(f"schema {name}", "Behind the code; run `manage.py migrate` there.")
            for name, track in schema.items()
        ),
    ]


def _engines(found: Condition) -> list[Finding]:
    redis = ok("redis", f"Answers in {found.redis.latency_ms} ms.")
    if not found.redis.up:
        redis = problem(
            "redis",
            "Does not answer; check REDIS_URL and that Redis or Valkey runs. Events are still accepted; journeys and "
            f"mail wait. ({found.redis.error})",
        )
    if not found.database.up:
        said = found.database.error
        return [problem("database", f"Does not answer; check DATABASE_URL and that PostgreSQL runs. ({said})"), redis]
    version = _server_version()
    if version < OLDEST_SERVER:
        return [problem("database", f"PostgreSQL {version} is too old; upgrade to {OLDEST_SERVER} or newer."), redis]
    return [ok("database", f"PostgreSQL {version} answers in {found.database.latency_ms} ms."), redis]


def _server_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version_num')::int / 10000")
        (version,) = cursor.fetchone() or (0,)
    return int(version)


def _migrations(found: Condition) -> list[Finding]:
    pending = [name for track in found.tracks.values() for name in track.pending]
    if not pending:
        return [ok("migrations", f"All {sum(track.required for track in found.tracks.values())} are applied.")]
    shown = ", ".join(pending[:5]) + (" …" if len(pending) > 5 else "")  # noqa: PLR2004 - enough to recognise them
    return [problem("migrations", f"{len(pending)} are not applied ({shown}); run `manage.py migrate`.")]


def _worker(found: Condition) -> Finding:
    if found.worker_seen_at:
        return ok("worker", f"Last seen at {found.worker_seen_at:%Y-%m-%d %H:%M:%S} UTC.")
    return problem(
        "worker",
        "None has been seen for 30 seconds; start one: `celery -A hogsend worker -Q journeys,mail,bulk`, and beat, "
        "which asks workers for the sign of life: `celery -A hogsend beat`.",
    )


def _beat(found: Condition) -> Finding:
    tasks = {task.name: task for task in PeriodicTask.objects.all()}
    missing = [name for name in BEAT if name not in tasks]
    if missing:
        said = f"Schedules are missing ({', '.join(missing)}); run `manage.py bootstrap --no-credentials`."
        return problem("beat", said)
    off = [name for name in BEAT if not tasks[name].enabled]
    if off:
        return warning("beat", f"Switched off in the admin: {', '.join(off)}.")
    if found.worker_seen_at is None:
        return warning("beat", "The schedules are there; whether beat rings cannot be told while no worker answers it.")
    return ok("beat", f"Rings {len(BEAT)} schedules; the workers' sign of life comes from it.")


def _journeys() -> list[Finding]:
    parked = parked_runs()
    if not parked:
        return [ok("journeys", "Every live run can be played by the code that is here.")]
    return [(warning if one.is_left_out else problem)("journeys", _standing_still(one)) for one in parked]


def _standing_still(one: ParkedRuns) -> str:
    runs = "1 run stands" if one.runs == 1 else f"{one.runs:,} runs stand"
    return f"{runs} still, the first since {one.standing_since:%Y-%m-%d %H:%M} UTC. {one.why}"


def _mail() -> Finding:
    backend = settings.EMAIL_BACKEND
    try:
        import_string(backend)
    except ImportError as error:
        return problem("mail", f"EMAIL_BACKEND {backend} cannot be loaded: {error}.")
    if backend == MAILBOX:
        return ok("mail", "The development mailbox keeps every mail here; nothing reaches people.")
    if backend != "django.core.mail.backends.smtp.EmailBackend":
        return ok("mail", f"{backend} is configured; it is asked for the first time when a mail goes out.")
    return _smtp()


def _smtp() -> Finding:
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    server = get_connection(timeout=MAIL_DEADLINE)
    try:
        server.open()
    except OSError as error:
        return problem("mail", f"The SMTP server {where} does not take us; check EMAIL_URL. ({error})")
    server.close()
    return ok("mail", f"The SMTP server {where} takes us.")


def _outbox() -> Finding:
    path = settings.HOGSEND_OUTBOX_DIR
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return problem("outbox", f"{path} cannot be written; set HOGSEND_OUTBOX_DIR to a directory that can. ({error})")
    return ok("outbox", f"{path} can be written.")


def _public_url() -> Finding:
    address = urlsplit(settings.API_PUBLIC_URL)
    if address.hostname in LOCAL:
        sentence = f"{settings.API_PUBLIC_URL} works on this machine only; links in mails need an address people reach."
        return (problem if settings.PRODUCTION else warning)("public url", f"{sentence} Set API_PUBLIC_URL.")
    if address.scheme != "https":
        return warning("public url", f"{settings.API_PUBLIC_URL} is not https; one-click unsubscribe needs it.")
    return ok("public url", f"{settings.API_PUBLIC_URL}")


def _secret_key() -> Finding:
    if len(settings.SECRET_KEY) < KEY_LENGTH:
        return warning("secret key", f"Is shorter than {KEY_LENGTH} characters; set a longer random SECRET_KEY.")
    return ok("secret key", f"Is {len(settings.SECRET_KEY)} characters long.")
