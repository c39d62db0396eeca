from django.urls import URLPattern, path

from preferences import views
from preferences.viewsets import MembershipViewSet, PreferenceViewSet

subscribe = MembershipViewSet.as_view({"post": "subscribe"})
unsubscribe = MembershipViewSet.as_view({"post": "unsubscribe"})
preferences = PreferenceViewSet.as_view({"get": "retrieve", "patch": "partial_update"})

urlpatterns: list[URLPattern] = [
    path("lists/<segment:list_id>/subscribe", subscribe, name="lists-subscribe"),
    path("lists/<segment:list_id>/unsubscribe", unsubscribe, name="lists-unsubscribe"),
    path("contacts/<uuid:contact_id>/preferences", preferences, name="contacts-preferences"),
    path("email/unsubscribe", views.unsubscribe, name="preferences-unsubscribe"),
    path("email/preferences", views.preferences, name="preferences-page"),
]
