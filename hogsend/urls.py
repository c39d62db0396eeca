"""Every address of the product, app by app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("v1/", include("events.urls")),  # the busiest is asked for first
    path("v1/", include("contacts.urls")),
    path("admin/", admin.site.urls),
    path("v1/", include("lists.urls")),
    path("v1/", include("preferences.urls")),
    path("v1/", include("tracking.urls")),
    path("v1/", include("buckets.urls")),
    path("v1/", include("journeys.urls")),
    path("", include("emails.urls")),
    path("", include("ops.urls")),
    path("", include("hogsend.api.urls")),
]
