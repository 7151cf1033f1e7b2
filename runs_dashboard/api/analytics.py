"""Seed 2: summaries of a flow's runs, in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from django.db.models import Q

from ..filter_fields import is_uuid
from ..filters import RunFilter
from ..models import Flow, Role, Run, Status
from .errors import NotThere
from .operations import ApiView, Operation, answer
from .parameters import Header, Parameter
from .representations import TriggerWord, iso
from .run_pages import RunPages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpResponse
    from rest_framework.request import Request

State = Literal["PENDING", "PAUSED", "RESUMED", "COMPLETED", "FAILED", "CANCELLED"]
STATES: dict[str, Q] = {
    "PENDING": Q(status=Status.QUEUED) | Q(status=Status.RUNNING, resumed_at=None),
    "PAUSED": Q(status=Status.PAUSED),
    "RESUMED": Q(status=Status.RUNNING, resumed_at__isnull=False),
    "COMPLETED": Q(status=Status.SUCCEEDED),
    "FAILED": Q(status=Status.FAILED),
    "CANCELLED": Q(status=Status.STOPPED),
}
SHOWN: dict[str, State] = {
    Status.PAUSED: "PAUSED",
    Status.SUCCEEDED: "COMPLETED",
    Status.FAILED: "FAILED",
    Status.STOPPED: "CANCELLED",
}
MAX_PAGE_SIZE = 1_000


class RunSummary(msgspec.Struct):
    """Summary of a single workflow run. `latency` is in seconds, `inputs` and `outputs` are JSON text."""

    run_id: str
    conversation_id: str | None
    date: str
    is_flow_successful: bool | None
    state: State | None
    error: str | None
    latency: float | None
    total_tokens: int
    user_id: str | None
    inputs: str | None
    outputs: str | None
    llms: str | None
    feedback: str | None
    run_type: TriggerWord | None
    ran_by_type: Literal["user", "api_key"] | None
    ran_by_id: str | None
    ran_by_display_name: str | None
    parent_run_id: str | None
    parent_project_id: str | None
    parent_project_name: str | None


COLUMNS = (
    *("tenant_id", "uid", "status", "resumed_at", "started_at", "finished_at", "ordered_at", "conversation_id"),
    *("error", "total_tokens", "created_by_id", "args", "outputs", "llms", "feedback", "trigger"),
    *("created_by__uuid", "created_by__email", "created_by__username"),
    *("created_by_key__uuid", "created_by_key__name", "created_by_key__prefix"),
    *("parent_run__uid", "parent_run__flow__slug", "parent_run__flow__name"),
)


class AnalyticsView(ApiView):
    operations = {
        "get": Operation(
            "Analytics",
            Role.VIEWER,
            parameters=(
                Parameter("page", "whole", "From 0.", default=0, least=0),
                Parameter("page_size", "whole", "Runs a page.", default=25, least=1, most=MAX_PAGE_SIZE),
                Parameter("start_date", "moment", "Runs of this time and later."),
                Parameter("end_date", "moment", "Runs of this time and earlier."),
                Parameter("user_id", about="Runs of this user number, or name."),
                Parameter("state", "words", "States, with commas.", choices=tuple(STATES)),
            ),
            answers={200: list[RunSummary]},
            sends=(
                Header("X-Total-Count", "How many runs there are, up to 10,000.", kind="integer"),
                Header("X-Total-Is-Lower-Bound", "true where there are more; else absent."),
            ),
            errors=(404,),
        )
    }

    def get(self, request: Request, org_id: str, flow_id: str) -> HttpResponse:
        if org_id not in (self.tenant.slug, str(self.tenant.uuid), str(self.tenant.pk)):
            raise NotThere
        known = Flow.objects.of(self.tenant).filter(**{"uuid" if is_uuid(flow_id) else "slug": flow_id})
        flow = known.first() if "\0" not in flow_id else None
        if flow is None:
            raise NotThere
        rows = self.filter(Run.objects.of(self.tenant).filter(flow=flow))
        pages = RunPages(rows, tenant_id=self.tenant.pk)
        skipped = self.query["page"] * self.query["page_size"]
        place = pages.skip(skipped)
        runs: Iterable[Run] = ()
        if place is not None or not skipped:
            shown = rows.select_related("created_by", "created_by_key", "parent_run__flow").only(*COLUMNS)
            runs = pages.behind(shown, place)[: self.query["page_size"]]
        total, is_lower_bound = pages.count()
        headers = {"X_Total_Count": str(total)}
        if is_lower_bound:
            headers["X_Total_Is_Lower_Bound"] = "true"
        return answer([summarise(run) for run in runs], 200, **headers)

    def filter(self, rows: Any) -> Any:
        query = self.query
        if query["start_date"] is not None:
            rows = rows.filter(ordered_at__gte=query["start_date"])
        if query["end_date"] is not None:
            rows = rows.filter(ordered_at__lte=query["end_date"])
        if query["state"]:
            wanted = Q()
            for word in query["state"]:
                wanted |= STATES[word]
            rows = rows.filter(wanted)
        if query["user_id"] is not None:
            rows = RunFilter({"user_id": query["user_id"]}, queryset=rows, tenant=self.tenant).qs
        return rows


def summarise(run: Run) -> RunSummary:
    key, user, parent = run.created_by_key, run.created_by, run.parent_run
    return RunSummary(
        run_id=run.uid,
        conversation_id=run.conversation_id or None,
        date=iso(run.ordered_at) or "",
        is_flow_successful=run.status == Status.SUCCEEDED if run.is_final else None,
        state=SHOWN.get(run.status) or ("RESUMED" if run.status == Status.RUNNING and run.resumed_at else "PENDING"),
        error=run.error or None,
        latency=None if run.duration_ms is None else run.duration_ms / 1000,
        total_tokens=run.total_tokens,
        user_id=None if run.created_by_id is None else str(run.created_by_id),
        inputs=as_text(run.args),
        outputs=as_text(run.outputs) if run.outputs or run.is_final else None,
        llms=as_text(run.llms),
        feedback=as_text(run.feedback),
        run_type=run.trigger,  # type: ignore[arg-type]
        ran_by_type="api_key" if key else "user" if user else None,
        ran_by_id=str(key.uuid) if key else str(user.uuid) if user else None,
        ran_by_display_name=str(key) if key else (user.email or user.username) if user else None,
        parent_run_id=parent.uid if parent else None,
        parent_project_id=parent.flow.slug if parent else None,
        parent_project_name=(parent.flow.name or parent.flow.slug) if parent else None,
    )


def as_text(value: Any) -> str | None:
    """JSON text; a text is itself."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
