"""Where the engines of the running stack listen; standard library only, because settings import it."""

import json
import os
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from hogsend.embedded.lock import holder

FILE_NAME = "endpoints.json"


def current(state_dir: Path) -> dict[str, str] | None:
    """Return DATABASE_URL and REDIS_URL of the stack that runs on ``state_dir``, or None while nothing runs there."""
    running = holder(state_dir)
    if running is None:
        return None
    try:
        published = json.loads((state_dir / FILE_NAME).read_text())
    except (OSError, ValueError):
        return None
    # A file left by a killed stack carries another pid than the one that holds the lock now.
    if published.pop("pid", None) != running.pid:
        return None
    return {name: str(url) for name, url in published.items()}


def publish(state_dir: Path, urls: dict[str, str]) -> None:
    """Let other programs find the engines for as long as this process holds the lock on ``state_dir``."""
    fresh = state_dir / f"{FILE_NAME}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps({**urls, "pid": os.getpid()}))
    fresh.replace(state_dir / FILE_NAME)


def withdraw(state_dir: Path) -> None:
    """Undo ``publish``; nothing happens when nothing was published."""
    (state_dir / FILE_NAME).unlink(missing_ok=True)


def celery_broker_url(redis_url: str) -> str:
    """Return ``redis_url`` as Celery wants it: a unix socket is ``redis+socket://…?virtual_host=N`` there."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    number = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={number}"


def with_database_number(redis_url: str, number: int) -> str:
    """Return ``redis_url`` for another database number of the same server."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return urlunsplit(parts._replace(path=f"/{number}"))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return f"unix://{parts.netloc}{parts.path}?{urlencode({**query, 'db': number})}"
