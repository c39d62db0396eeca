from django.apps import AppConfig


class JourneysConfig(AppConfig):
    name = "journeys"
    verbose_name = "Journeys"

    def ready(self) -> None:
        """Import what adopters declare, then close the registry; declare the checks."""
        from journeys import checks as checks  # noqa: PLC0415 - apps are loaded now
        from journeys.discovery import discover  # noqa: PLC0415 - apps are loaded now

        discover()
