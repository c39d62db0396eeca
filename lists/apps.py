from django.apps import AppConfig

from hogsend.discovery import discover_modules


class ListsConfig(AppConfig):
    name = "lists"
    verbose_name = "Lists"

    def ready(self) -> None:
        """Import what adopters declare, then close the registry."""
        from lists.definitions import registry  # noqa: PLC0415 - apps are loaded now

        discover_modules("lists")
        registry.freeze()
