"""What adopters have declared in code, and where."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from buckets.definitions import registry as buckets
from emails.definitions import registry as emails
from events.sources.definitions import registry as sources
from hogsend.lib.registry import Registry
from journeys.definitions import registry as journeys
from lists.definitions import registry as lists

REGISTRIES: dict[str, Registry[Any]] = {
    "journeys": journeys,
    "buckets": buckets,
    "lists": lists,
    "emails": emails,
    "webhooks": sources,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One journey, bucket, list, e-mail or webhook source."""

    kind: str
    id: str
    name: str
    detail: str
    enabled: bool
    file: str
    line: int


def counts() -> dict[str, int]:
    """Return how many definitions of each kind were found."""
    return {kind: len(registry) for kind, registry in REGISTRIES.items()}


def declared() -> list[Declared]:
    """Return every definition, kind by kind, in the order of declaration."""
    return [_describe(kind, registry, item) for kind, registry in REGISTRIES.items() for item in registry]


def _describe(kind: str, registry: Registry[Any], item: Any) -> Declared:
    source = registry.source(item.id)
    return Declared(
        kind=kind,
        id=item.id,
        name=item.name or item.id,
        detail=_detail(item),
        enabled=getattr(item, "enabled", True) and getattr(item, "is_wanted", True),
        file=_relative(source.file) if source else "",
        line=source.line if source else 0,
    )


def _detail(item: Any) -> str:
    if hasattr(item, "trigger"):
        return f"starts on {item.trigger}" + (f", for the bucket {item.bucket_id}" if item.bucket_id else "")
    if hasattr(item, "criteria"):
        return str(item.criteria.in_words())
    if hasattr(item, "category"):
        return f"category {item.category}"
    if hasattr(item, "default_opt_in"):
        return "everybody until they leave" if item.default_opt_in else "only who joins"
    if hasattr(item, "translate"):
        return f"secret in {item.secret}" if item.secret else "open to everybody"
    return ""


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else file
