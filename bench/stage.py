"""What a benchmark runs on: engines, a migrated database, an API key and a web server of its own."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hogsend.embedded.engines import Engine, engines_for
from hogsend.embedded.processes import stop_together

if TYPE_CHECKING:
    from bench.measure import Shot

ROOT = Path(__file__).resolve().parent.parent
THREADS = 16
PROCESSES = 2
PRODUCTION = {
    "HOGSEND_ENV": "production",
    "LOG_LEVEL": "info",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ALLOWED_HOSTS": "127.0.0.1",
    "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
}


@contextlib.contextmanager
def engines() -> Iterator[list[Engine]]:
    """Start durable engines for what the environment does not name, on a directory that is removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="hogsend-bench-"))
    os.environ.setdefault("HOGSEND_STATE_DIR", str(directory))
    started = engines_for(directory)
    try:
        for engine in started:
            engine.begin()
        for engine in started:
            engine.wait_ready()
            os.environ[engine.variable] = engine.url
        yield started
    finally:
        stop_together(engine.child for engine in started if engine.child is not None)
        for engine in started:
            engine.erase()
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def served(application: str) -> Iterator[tuple[int, int]]:
    """Serve ``application`` as in production, log lines and all; yield the port and the server's process id."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(PROCESSES), "--blocking-threads", str(THREADS), "--no-access-log", application]
    settings, nowhere = {**os.environ, **PRODUCTION}, subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=nowhere, stderr=nowhere)
    try:
        _wait_for(port, server)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return
        time.sleep(0.05)
    raise RuntimeError("The web server did not become ready within 30 seconds.")


def prepared_database() -> str:
    """Migrate the engines' database and return an API key with the scope ingest."""
    import django  # noqa: PLC0415 - settings may only be read once the engines run

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - after setup

    from hogsend.api.keys import create_key  # noqa: PLC0415 - after setup

    call_command("migrate", verbosity=0)
    return create_key(name="bench", scopes=["ingest"])[1]


def database_processes(engines: list[Engine]) -> list[int]:
    """Return the process ids of the embedded database servers."""
    return [engine.child.pid for engine in engines if engine.variable == "DATABASE_URL" and engine.child]


def shoot(shot: "Shot", *, seconds: float) -> dict[str, Any]:
    """Run the load generator as a process of its own and return what it measured."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(shot.bodies))
        file.flush()
        order = {"port": shot.port, "method": shot.method, "path": shot.path, "key": shot.key, "bodies": file.name}
        order |= {"connections": shot.connections, "seconds": seconds}
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"The load generator failed: {done.stderr.strip()}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
