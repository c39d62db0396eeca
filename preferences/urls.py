from django.urls import URLPattern, path

from preferences import views

urlpatterns: list[URLPattern] = [
    path("email/unsubscribe", views.unsubscribe, name="preferences-unsubscribe"),
    path("email/preferences", views.preferences, name="preferences-page"),
]
