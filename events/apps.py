from django.apps import AppConfig
from django.core.checks import register

from hogsend.discovery import discover_modules


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "Events"

    def ready(self) -> None:
        """Import the webhook sources that adopters declare, then close the registry; declare the checks."""
        from events.checks import check_webhook_sources  # noqa: PLC0415 - apps are loaded now
        from events.sources.definitions import registry  # noqa: PLC0415 - apps are loaded now

        discover_modules("webhooks")
        registry.freeze()
        register(check_webhook_sources)
