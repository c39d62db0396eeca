from django.apps import AppConfig


class HogsendConfig(AppConfig):
    name = "hogsend"
