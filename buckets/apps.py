from django.apps import AppConfig
from django.core.checks import register

from hogsend.discovery import discover_modules


class BucketsConfig(AppConfig):
    name = "buckets"
    verbose_name = "Buckets"

    def ready(self) -> None:
        """Import what adopters declare, then close the registry; declare the checks."""
        from buckets.checks import check_buckets  # noqa: PLC0415 - apps are loaded now
        from buckets.definitions import registry  # noqa: PLC0415 - apps are loaded now

        discover_modules("buckets")
        registry.freeze()
        register(check_buckets)
