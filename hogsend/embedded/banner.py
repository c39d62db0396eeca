"""What the terminal says when the stack is ready."""

from collections.abc import Mapping
from typing import Any

_SINGULAR = {"journeys": "journey", "buckets": "bucket", "lists": "list", "emails": "email"}
_EVENT = '{"name":"user.created","userId":"ada","email":"ada@example.com"}'


def ready_banner(facts: Mapping[str, Any], *, seconds: float, logs: str) -> str:
    """Return addresses, keys, counts and the next thing to try; ``facts`` is what ``manage.py bootstrap`` printed."""
    base = str(facts["base_url"]).rstrip("/")
    password = facts.get("admin_password") or "(the password was chosen earlier)"
    rows = (
        ("API", base),
        ("Admin", f"{base}/admin/  user {facts.get('admin_user', '')}  password {password}"),
        ("Outbox", f"{base}/outbox/  every mail this stack sends"),
        ("API key", str(facts.get("api_key", ""))),
        ("Ingest key", str(facts.get("ingest_key", ""))),
        ("Content", count_content(facts.get("content", {}))),
        ("Logs", logs),
    )
    table = "\n".join(f"  {name:<11}{value}" for name, value in rows if value)
    return (
        f"\nHogsend is ready after {seconds:.1f} s.\n\n{table}\n\n"
        f"Try it:\n\n  {first_event(base, str(facts.get('ingest_key', '')))}\n\n"
        f"then open {base}/outbox/\n\nCtrl-C stops everything.\n"
    )


def count_content(content: Mapping[str, int]) -> str:
    """Return the counts as words: ``2 journeys, 1 bucket, 3 lists, 4 emails``."""
    return ", ".join(f"{count} {_SINGULAR.get(kind, kind) if count == 1 else kind}" for kind, count in content.items())


def first_event(base: str, ingest_key: str) -> str:
    """Return the curl line that sends a first event."""
    return (
        f"curl -X POST {base}/v1/events -H 'Authorization: Bearer {ingest_key}' "
        f"-H 'Content-Type: application/json' -d '{_EVENT}'"
    )
