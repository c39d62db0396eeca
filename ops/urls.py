from django.urls import path

from ops.views import healthz, landing, readyz
from ops.viewsets import HealthViewSet

urlpatterns = [
    path("", landing, name="landing"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("v1/health", HealthViewSet.as_view({"get": "retrieve"}), name="health"),
]
