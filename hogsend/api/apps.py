from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "hogsend.api"
    label = "api"
    verbose_name = "API keys"
