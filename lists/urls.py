from django.urls import path

from lists.viewsets import ListViewSet

urlpatterns = [path("lists", ListViewSet.as_view({"get": "list"}), name="lists")]
