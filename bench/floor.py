"""The least a web server can do: answer 202 at once (the floor of the ingest benchmark)."""

from collections.abc import Callable, Iterable
from typing import Any

BODY = b'{"stored":true,"exits":[]}'


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the body and answer."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
