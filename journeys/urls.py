from django.urls import path

from journeys.viewsets import JourneyViewSet, StateViewSet

one = JourneyViewSet.as_view({"get": "retrieve", "patch": "partial_update"})
state = StateViewSet.as_view({"get": "retrieve", "delete": "cancel"})

urlpatterns = [
    path("admin/journeys", JourneyViewSet.as_view({"get": "list"}), name="admin-journeys"),
    path("admin/journeys/<str:journey_id>", one, name="admin-journey"),
    path("admin/journeys/<str:journey_id>/states", StateViewSet.as_view({"get": "list"}), name="admin-states"),
    path("admin/journeys/<str:journey_id>/states/<uuid:state_id>", state, name="admin-state"),
    path(
        "admin/journeys/<str:journey_id>/states/<uuid:state_id>/retry",
        StateViewSet.as_view({"post": "retry"}),
        name="admin-state-retry",
    ),
    path(
        "admin/journeys/<str:journey_id>/states/<uuid:state_id>/skip-wait",
        StateViewSet.as_view({"post": "skip_wait"}),
        name="admin-state-skip-wait",
    ),
    path("admin/journeys/<str:journey_id>/enroll", JourneyViewSet.as_view({"post": "enrol"}), name="admin-enrol"),
    path(
        "admin/journeys/<str:journey_id>/enroll/batch",
        JourneyViewSet.as_view({"post": "enrol_batch"}),
        name="admin-enrol-batch",
    ),
    path("admin/journey-logs/<uuid:state_id>", StateViewSet.as_view({"get": "logs"}), name="admin-journey-logs"),
]
