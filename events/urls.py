from django.urls import path, re_path

from events.sources.definitions import RESERVED
from events.sources.viewsets import WebhookViewSet
from events.viewsets import EventViewSet

urlpatterns = [
    path("events", EventViewSet.as_view({"post": "create"}), name="events"),
    path("events/batch", EventViewSet.as_view({"post": "batch"}), name="events-batch"),
    # Mail providers' webhooks stand under the same address and belong to another app.
    re_path(
        rf"^webhooks/(?!(?:{'|'.join(sorted(RESERVED))})$)(?P<source_id>[^/]+)$",
        WebhookViewSet.as_view({"post": "create"}),
        name="webhook",
    ),
]
