"""The addresses: pages, live streams, API, admin."""

from django.contrib import admin
from django.urls import include, path

from .web import health

handler400 = "runs_dashboard.api.nowhere.answer_bad_request"
handler500 = "runs_dashboard.api.nowhere.answer_failure"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("runs_dashboard.web.urls")),
    path("", include("runs_dashboard.live.urls")),
    path("", include("runs_dashboard.api.urls")),
    path("admin/", admin.site.urls),
]
