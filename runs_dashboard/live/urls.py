"""The addresses of the streams. `door.py` serves them before Django, these views wherever the door is not used."""

from django.urls import path

from . import views

urlpatterns = [
    path("runs/<str:uid>/log/stream", views.run_log_stream, {"kind": "page"}, name="run_log_stream"),
    path(
        "api/v1/flow-runs/<str:uid>/flow-run-logs/stream",
        views.api_run_log_stream,
        {"kind": "api"},
        name="api_run_log_stream",
    ),
]
