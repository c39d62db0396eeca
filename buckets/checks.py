"""``manage.py check``: what buckets tell PostHog can arrive there, and each tells its own."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from buckets.definitions import Bucket, index, registry


def check_buckets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report buckets whose members PostHog would never hear of, or would hear of wrongly."""
    del app_configs, kwargs
    mirrored = [bucket for bucket in index().by_id.values() if bucket.sync_to_posthog]
    return [*_without_a_key(mirrored), *_with_one_property(mirrored)]


def _without_a_key(mirrored: list[Bucket]) -> Iterator[CheckMessage]:
    if mirrored and not settings.POSTHOG_API_KEY:
        yield Caution(
            f"POSTHOG_API_KEY is not set, so PostHog does not hear who is in {', '.join(one.id for one in mirrored)}.",
            hint="Set it; what has changed until then is told afterwards. Or declare them without sync_to_posthog.",
            obj=_place(mirrored[0]),
            id="buckets.W001",
        )


def _with_one_property(mirrored: list[Bucket]) -> Iterator[CheckMessage]:
    first: dict[str, Bucket] = {}
    for bucket in mirrored:
        other = first.setdefault(bucket.property_key, bucket)
        if other is not bucket:
            yield Error(
                f"Bucket {bucket.id!r}: it sets {bucket.property_key!r} in PostHog, as {other.id!r} does.",
                hint="Give one of them another posthog_property_key.",
                obj=_place(bucket),
                id="buckets.E001",
            )


def _place(bucket: Bucket) -> str:
    source = registry.source(bucket.id)
    return f"{source.file}:{source.line}" if source else bucket.id
