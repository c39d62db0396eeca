from django.urls import URLPattern, path

from tracking import views

urlpatterns: list[URLPattern] = [
    path("t/c/<str:link_id>", views.click, name="tracking-click"),
    path("t/o/<str:send_id>", views.open_pixel, name="tracking-open"),
]
