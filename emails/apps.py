from django.apps import AppConfig
from django.core.checks import register


class EmailsConfig(AppConfig):
    name = "emails"
    verbose_name = "Mail"

    def ready(self) -> None:
        """Import what adopters declare, then close the registry; declare the checks."""
        from emails.checks import check_emails  # noqa: PLC0415 - apps are loaded now
        from emails.discovery import discover  # noqa: PLC0415 - apps are loaded now

        discover()
        register(check_emails)
