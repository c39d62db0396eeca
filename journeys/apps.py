from django.apps import AppConfig
from django.core.checks import register


class JourneysConfig(AppConfig):
    name = "journeys"
    verbose_name = "Journeys"

    def ready(self) -> None:
        """Import what adopters declare, then close the registry; declare the checks."""
        from journeys.checks import check_journeys  # noqa: PLC0415 - apps are loaded now
        from journeys.discovery import discover  # noqa: PLC0415 - apps are loaded now

        discover()
        register(check_journeys)
