"""The running product, seen from outside: HTTP in, SMTP out, and a look into the database."""

import email
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from aiosmtpd.controller import Controller

from bench.stage import free_port
from hogsend.embedded.components import REPOSITORY, Setup, product_processes, setup_from
from hogsend.embedded.endpoints import with_database_number
from hogsend.embedded.processes import Child, ProcessSpec, stop_together

T = TypeVar("T")


def eventually(what: Callable[[], T], *, within: float = 30) -> T:
    """Return what ``what`` returns as soon as that is truthy; its last value at the deadline fails the test."""
    deadline = time.monotonic() + within
    while not (value := what()):
        assert time.monotonic() < deadline, f"not within {within} s: last value {value!r}"
        time.sleep(0.05)
    return value


class Sink:
    """A real SMTP server that keeps what it accepted."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self._server = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.messages.append(email.message_from_bytes(envelope.original_content, policy=email.policy.default))
        return "250 OK"

    @property
    def port(self) -> int:
        return int(self._server.port)

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if message["To"] == address]

    def subjects(self, address: str) -> list[str]:
        return [message["Subject"] for message in self.to(address)]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


class Product:
    """Web server, workers and beat on a fresh database."""

    def __init__(self, urls: dict[str, str], sink: Sink, state_dir: Path) -> None:
        self.name = f"walk_{uuid4().hex[:8]}"
        self._server_url = urls["DATABASE_URL"]
        parts = urlsplit(self._server_url)
        self.database_url = urlunsplit(parts._replace(path=f"/{self.name}"))
        self.redis_url = with_database_number(
            urls["REDIS_URL"], 9 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
        )
        self.setup: Setup = setup_from(
            {
                **os.environ,
                "DATABASE_URL": self.database_url,
                "REDIS_URL": self.redis_url,
                "HOGSEND_STATE_DIR": str(state_dir),
                "HOGSEND_PORT": str(free_port()),
                "HOGSEND_CONTENT_APPS": "content,tests.acceptance.story",
                "HOGSEND_RUN_LEASE_SECONDS": "3",
                "HOGSEND_MAIL_LEASE_SECONDS": "3",
                "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
                "PYTHONWARNINGS": "ignore",
            }
        )
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f'create database "{self.name}"')
        (self.setup.state_dir / "logs").mkdir(exist_ok=True)
        boot = [sys.executable, "manage.py", "bootstrap", "--state-file", str(self.setup.state_dir / "dev.json")]
        done = subprocess.run(
            boot, cwd=REPOSITORY, env=dict(self.setup.environ), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.keys = json.loads(done.stdout)
        for spec in product_processes(self.setup):
            self.start(spec.name)
        eventually(self.answers)
        return self

    def __exit__(self, *_: object) -> None:
        stop_together(self.children.values())
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f'drop database "{self.name}" with (force)')

    # processes
    def start(self, name: str, alias: str = "") -> None:
        """Start one of the product's processes (``alias``: a further one of the same kind)."""
        spec: ProcessSpec = next(spec for spec in product_processes(self.setup) if spec.name == name)
        self.children[alias or name] = Child(replace(spec, name=alias or name))

    def kill(self, name: str) -> None:
        """Send kill -9 to a process with all its children."""
        os.killpg(self.children[name].pid, signal.SIGKILL)
        eventually(lambda: self.children[name].exit_code() is not None)

    def answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    # HTTP
    def get(self, path_or_url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self._open("GET", path_or_url, None, headers)

    def post(self, path_or_url: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self._open("POST", path_or_url, body, headers)

    def event(self, name: str, person: str, **more: Any) -> dict[str, Any]:
        """Send an event for ``person``, whose address is person@example.com."""
        body = {"name": name, "userId": person, "email": f"{person}@example.com", **more}
        status, _, answer = self.post(
            "/v1/events",
            json.dumps(body).encode(),
            **{"Authorization": f"Bearer {self.keys['ingest_key']}", "Content-Type": "application/json"},
        )
        assert status == 202, answer
        return json.loads(answer)

    def _open(
        self, method: str, where: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        url = where if "://" in where else f"{self.setup.url}{where}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        try:
            with urllib.request.build_opener(_Stay()).open(request, timeout=10) as answer:
                return answer.status, lower(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, lower(error.headers), error.read()

    # what stands in the rows
    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def run_status(self, journey_id: str, person: str) -> str | None:
        found = self.rows(
            "select r.status from journeys_journeyrun r join contacts_contact c on c.id = r.contact_id"
            " where r.journey_id = %s and c.external_id = %s",
            journey_id,
            person,
        )
        return found[0][0] if len(found) == 1 else None

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def lower(headers: Any) -> dict[str, str]:
    """Header names mean the same in any case; here they are written in lower case."""
    return {name.lower(): value for name, value in headers.items()}
