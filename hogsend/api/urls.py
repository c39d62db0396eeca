from django.urls import path

from hogsend.api import documents

urlpatterns = [
    path("openapi.json", documents.openapi, name="openapi"),
    path("docs", documents.docs, name="docs"),
]
