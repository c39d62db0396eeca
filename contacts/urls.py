from django.urls import path

from contacts.viewsets import ContactViewSet

urlpatterns = [
    path("contacts", ContactViewSet.as_view({"put": "upsert", "delete": "delete"}), name="contacts"),
    path("contacts/find", ContactViewSet.as_view({"get": "find"}), name="contacts-find"),
]
