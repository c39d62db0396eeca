from django.apps import AppConfig

from hogsend.api.paths import register_converters


class ApiConfig(AppConfig):
    name = "hogsend.api"
    label = "api"
    verbose_name = "API keys"

    def ready(self) -> None:
        """Make ``<segment:…>`` known before the first route is read."""
        register_converters()
