from django.urls import path

from buckets.viewsets import BucketMetricsViewSet, BucketViewSet

one = BucketViewSet.as_view({"get": "retrieve", "patch": "partial_update"})
# A bucket may be called preview, too.
preview = BucketViewSet.as_view({"get": "retrieve", "patch": "partial_update", "post": "preview"})
backfills = BucketViewSet.as_view({"get": "backfills"})

urlpatterns = [
    path("admin/buckets", BucketViewSet.as_view({"get": "list"}), name="admin-buckets"),
    path("admin/buckets/preview", preview, {"bucket_id": "preview"}, name="admin-buckets-preview"),
    path("admin/buckets/<str:bucket_id>", one, name="admin-bucket"),
    path("admin/buckets/<str:bucket_id>/members", BucketViewSet.as_view({"get": "members"}), name="admin-members"),
    path("admin/buckets/<str:bucket_id>/backfill", BucketViewSet.as_view({"post": "backfill"}), name="admin-backfill"),
    path("admin/buckets/<str:bucket_id>/backfills", backfills, name="admin-backfills"),
    path("admin/buckets/<str:bucket_id>/verify", BucketViewSet.as_view({"post": "verify"}), name="admin-verify"),
    path("admin/metrics/buckets", BucketMetricsViewSet.as_view({"get": "list"}), name="admin-metrics-buckets"),
    path(
        "admin/metrics/buckets/<str:bucket_id>",
        BucketMetricsViewSet.as_view({"get": "retrieve"}),
        name="admin-metrics-bucket",
    ),
]
