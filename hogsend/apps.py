from django.apps import AppConfig

from hogsend.celery import app


class HogsendConfig(AppConfig):
    name = "hogsend"

    def ready(self) -> None:
        """Make our Celery the one that every thread of this process rings."""
        app.set_default()
