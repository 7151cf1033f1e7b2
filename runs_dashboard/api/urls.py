"""The addresses of the API."""

from django.urls import path, re_path

from . import (
    analytics,
    bulk,
    docs,
    downloads,
    failures,
    flow_runs,
    flows,
    icenter,
    logs,
    notes,
    reports,
    tokens,
    verbs,
    webhooks,
)
from . import workflow_logs as dialect_4
from .nowhere import ADDRESSES, NowhereView

V1 = "api/v1"
RUN = f"{V1}/flow-runs/<str:run_id>"
FILE = f"{V1}/file-downloads"
BULK = f"{V1}/bulk-actions"

urlpatterns = [
    path(f"{V1}/flow-runs", flow_runs.FlowRunsView.as_view(), name="api-flow-runs"),
    path(RUN, flow_runs.FlowRunView.as_view(), name="api-flow-run"),
    path(f"{RUN}/actions/<str:action>", reports.ActionView.as_view(), name="api-flow-run-action"),
    path(f"{RUN}/heartbeat", reports.HeartbeatView.as_view(), name="api-flow-run-heartbeat"),
    path(f"{RUN}/flow-run-logs", flow_runs.LogsView.as_view(), name="api-flow-run-logs"),
    path(f"{RUN}/flow-run-logs/<str:log_id>", logs.FlowRunLogView.as_view(), name="api-flow-run-log"),
    path(f"{RUN}/download", downloads.RequestDownloadView.as_view(), name="api-flow-run-download"),
    path(f"{RUN}/retry", verbs.RetryView.as_view(), name="api-flow-run-retry"),
    path(f"{RUN}/stop", verbs.StopView.as_view(), name="api-flow-run-stop"),
    path(f"{RUN}/resume", verbs.ResumeView.as_view(), name="api-flow-run-resume"),
    path(f"{RUN}/review", verbs.ReviewView.as_view(), name="api-flow-run-review"),
    path(f"{RUN}/notes", notes.NotesView.as_view(), name="api-flow-run-notes"),
    path(f"{RUN}/notes/<str:note_id>", notes.NoteView.as_view(), name="api-flow-run-note"),
    path(BULK, bulk.BulkActionsView.as_view(), name="api-bulk-actions"),
    path(f"{BULK}/<str:bulk_id>", bulk.BulkActionView.as_view(), name="api-bulk-action"),
    path(f"{BULK}/<str:bulk_id>/results", bulk.ResultsView.as_view(), name="api-bulk-results"),
    path(f"{BULK}/<str:bulk_id>/abort", bulk.AbortView.as_view(), name="api-bulk-abort"),
    path(f"{V1}/failures", failures.FailuresView.as_view(), name="api-failures"),
    path(f"{V1}/failures/<str:failure_id>/review", failures.ReviewFailuresView.as_view(), name="api-failure-review"),
    path(FILE, downloads.DownloadsView.as_view(), name="api-file-downloads"),
    path(f"{FILE}/<str:download_id>", downloads.DownloadView.as_view(), name="api-file-download"),
    path(f"{FILE}/<str:download_id>/content", downloads.DownloadContentView.as_view(), name="api-file-content"),
    path(f"{V1}/flows", flows.FlowsView.as_view(), name="api-flows"),
    path(f"{V1}/flows/<str:flow_id>", flows.FlowView.as_view(), name="api-flow"),
    path(f"{V1}/token", tokens.TokenView.as_view(), name="api-token"),
    path(f"{V1}/openapi.json", docs.SchemaView.as_view(), name="api-schema"),
    path(f"{V1}/docs", docs.show_docs, name="api-docs"),
    # The other seeds' own paths.
    path("webhooks/<str:flow_id>", webhooks.WebhookView.as_view(), name="api-webhook"),
    path("icenter/executions", icenter.ExecutionsView.as_view(), name="api-executions"),
    path("logs", icenter.LogsView.as_view(), name="api-logs"),
    path("analytics/org/<str:org_id>/flows/<str:flow_id>", analytics.AnalyticsView.as_view(), name="api-analytics"),
    path("workflows/logs", dialect_4.WorkflowLogsView.as_view(), name="api-workflow-logs"),
    # Last: an address of the API that is none answers as the API does.
    re_path(ADDRESSES, NowhereView.as_view(), name="api-nowhere"),
]
