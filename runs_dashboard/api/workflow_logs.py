"""Seed 4: a log of workflow runs, with its own envelope, bounds and words; times in Unix seconds."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from django.db.models import Count

from ..filters import RunFilter
from ..models import Role, Run, Status, Step, log_entry_id, search_logs
from .operations import ApiView, Operation, answer
from .parameters import Parameter
from .representations import Phase, TriggerWord
from .run_pages import RunPages

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpResponse
    from rest_framework.request import Request

    from ..models import Tenant


KEYWORD_LINES, KEYWORD_SECONDS = 1_000, 0.5  # of logs that a keyword is looked for in


class WorkflowRun(msgspec.Struct):
    """`version` is the flow version's creation time; times are Unix seconds, `elapsed_time` is in seconds."""

    id: str
    version: str
    status: Phase
    error: str | None
    elapsed_time: float
    total_tokens: int
    total_steps: int
    created_at: int
    finished_at: int | None
    exceptions_count: int
    triggered_from: TriggerWord


class WorkflowEndUser(msgspec.Struct):
    id: str
    type: str
    is_anonymous: bool
    session_id: str


class WorkflowLog(msgspec.Struct):
    id: str
    workflow_run: WorkflowRun
    created_from: Literal["service-api", "web-app"]
    created_by_role: Literal["end_user", "account"]
    created_by_account: str | None
    created_by_end_user: WorkflowEndUser | None
    created_at: int


class WorkflowLogs(msgspec.Struct):
    page: int
    limit: int
    total: int
    has_more: bool
    data: list[WorkflowLog]


COLUMNS = (
    *("tenant_id", "uid", "status", "error", "started_at", "finished_at", "ordered_at", "created_at"),
    *("total_tokens", "step_count", "trigger", "created_by_key_id", "version__created_at", "created_by__username"),
    *("end_user__uuid", "end_user__type", "end_user__is_anonymous", "end_user__session_id"),
)


class WorkflowLogsView(ApiView):
    operations = {
        "get": Operation(
            "Workflow logs",
            Role.VIEWER,
            parameters=(
                Parameter(
                    "keyword", about="A text in its log lines, or one that names it: id, flow, tag, tracked data."
                ),
                Parameter(
                    "status",
                    about="How it ended.",
                    choices=(Status.SUCCEEDED.value, Status.FAILED.value, Status.STOPPED.value),
                ),
                Parameter("page", "whole", "From 1.", default=1, least=1, most=99_999),
                Parameter("limit", "whole", "Entries a page.", default=20, least=1, most=100),
                Parameter("created_at__before", "moment", "Made before this time."),
                Parameter("created_at__after", "moment", "Made after this time."),
                Parameter("created_by_end_user_session_id", about="The end user's session."),
                Parameter("created_by_account", about="A user name or number."),
            ),
            answers={200: WorkflowLogs},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        page, limit = self.query["page"], self.query["limit"]
        rows = self.filter(Run.objects.of(self.tenant))
        has_period = self.query["created_at__before"] is not None or self.query["created_at__after"] is not None
        # Newest first either way; a period is walked by the index that finds it.
        pages = RunPages(rows, tenant_id=self.tenant.pk, by="created_at" if has_period else "ordered_at")
        place = pages.skip((page - 1) * limit)
        found: list[Run] = []
        if place is not None or page == 1:
            shown = rows.select_related("version", "created_by", "end_user").only(*COLUMNS)
            found = list(pages.behind(shown, place)[: limit + 1])
        runs = found[:limit]
        failed = Step.hanging_on(run.pk for run in runs).filter(status=Status.FAILED)
        exceptions = dict(failed.order_by().values_list("run_id").annotate(n=Count("pk")))
        data = [show_log(run, exceptions.get(run.pk, 0)) for run in runs]
        return answer(WorkflowLogs(page, limit, pages.count()[0], len(found) > limit, data))

    def filter(self, rows: Any) -> Any:
        query = self.query
        given = {"status": query["status"], "user": query["created_by_account"]}
        rows = RunFilter(
            {name: value for name, value in given.items() if value is not None}, queryset=rows, tenant=self.tenant
        ).qs
        if query["keyword"] is not None:
            rows = find_by_keyword(rows, self.tenant, query["keyword"])
        if query["created_at__before"] is not None:
            rows = rows.filter(created_at__lt=query["created_at__before"])
        if query["created_at__after"] is not None:
            rows = rows.filter(created_at__gt=query["created_at__after"])
        if query["created_by_end_user_session_id"] is not None:
            rows = rows.filter(end_user__session_id=query["created_by_end_user_session_id"])
        return rows


def find_by_keyword(rows: Any, tenant: Tenant, keyword: str) -> Any:
    """Of the runs those that the keyword names (id, flow, tag, tracked data), or whose newest log lines hold it."""
    named = RunFilter({"search": keyword}, queryset=rows, tenant=tenant).qs
    found = search_logs(tenant, keyword, limit=KEYWORD_LINES, budget_seconds=KEYWORD_SECONDS)
    runs = {hit.run.pk for hit in found.hits}
    return named | rows.filter(pk__in=runs) if runs else named


def show_log(run: Run, exceptions: int) -> WorkflowLog:
    end_user, user = run.end_user, run.created_by
    is_of_person = user is not None and run.created_by_key_id is None and end_user is None
    return WorkflowLog(
        id=log_entry_id(run.uid, 0),
        workflow_run=WorkflowRun(
            id=run.uid,
            version=run.version.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
            status=run.status,  # type: ignore[arg-type]
            error=run.error or None,
            elapsed_time=(run.duration_ms or 0) / 1000,
            total_tokens=run.total_tokens,
            total_steps=run.step_count,
            created_at=seconds(run.created_at),
            finished_at=seconds(run.finished_at) if run.finished_at else None,
            exceptions_count=exceptions,
            triggered_from=run.trigger,  # type: ignore[arg-type]
        ),
        created_from="web-app" if is_of_person else "service-api",
        created_by_role="end_user" if end_user else "account",
        created_by_account=user.username if user and not end_user else None,
        created_by_end_user=WorkflowEndUser(
            str(end_user.uuid), end_user.type, end_user.is_anonymous, end_user.session_id
        )
        if end_user
        else None,
        created_at=seconds(run.created_at),
    )


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())
