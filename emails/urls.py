from django.urls import URLPattern, path

from emails import outbox
from emails.viewsets import EmailViewSet

urlpatterns: list[URLPattern] = [
    path("v1/emails", EmailViewSet.as_view({"post": "create"}), name="emails"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/preview/<path:email_id>/", outbox.outbox_preview, name="outbox-preview"),
    path("outbox/<str:day>/<str:name>/", outbox.outbox_mail, name="outbox-mail"),
    path("outbox/<str:day>/<str:name>/raw", outbox.outbox_raw, name="outbox-raw"),
]
